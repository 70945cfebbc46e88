# SPDX-License-Identifier: MIT
"""Ways to prove who connects, as people's tools write them, on a real nats-server."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import quote

import nats as nats_py
import pytest
from nats.errors import NoServersError

from app.bus.nats.client import ReconnectingClient
from app.bus.nats.security import security_options
from app.cli.connection import Unreachable, connected
from app.main import running
from app.settings import ConfigurationError, HttpSettings, MockSettings, NatsSettings, Settings
from tests.stand_ins.stalling import stalling, unanswered
from tests.support.operator_mode import OperatorMode
from tests.support.ports import nats_server

SEED = "SUAMLK2ZNL35WSMW37E7UD4VZ7ELPKW7DHC3BWBSD2GCZ7IUQQXZIORRBU"
PUBLIC = "UCK5N7N66OBOINFXAYC2ACJQYFSOD4VYNU6APEJTAVFZB2SVHLKGEW7L"


async def _ignore(_: object) -> None: ...


def _configured(tmp_path, text: str):
    file = tmp_path / "nats.conf"
    file.write_text(text)
    return nats_server(0, "-c", str(file))


async def _reaches(settings: NatsSettings) -> bool:
    """As the service connects, and as the commands do."""
    client = ReconnectingClient()
    options = {"max_reconnect_attempts": 0, "reconnect_time_wait": 0.01, "error_cb": _ignore, "connect_timeout": 20}
    await client.connect(list(settings.servers), **options, **security_options(settings))
    await client.flush()
    await client.close()
    async with connected(settings, 20) as asking:
        await asking.flush()
        return True


def _read(monkeypatch, **environment: str) -> NatsSettings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings().nats


SECRETS = ["p@ss", "p:a/s?s#[w]", "100%", "a,b", "pÄss wörd", "%40", "+", "'\"$\\{}"]


@pytest.mark.parametrize("secret", SECRETS)
async def test_user_and_password_in_the_address_are_percent_decoded(tmp_path, monkeypatch, secret):
    given = json.dumps(secret, ensure_ascii=False)
    with _configured(tmp_path, f"authorization {{ user: {given}, password: {given} }}") as server:
        login = quote(secret, safe="")
        assert await _reaches(_read(monkeypatch, NATS_URL=server.url.replace("//", f"//{login}:{login}@")))


@pytest.mark.parametrize("secret", SECRETS)
async def test_a_token_in_the_address_is_percent_decoded(tmp_path, monkeypatch, secret):
    with _configured(tmp_path, f"authorization {{ token: {json.dumps(secret, ensure_ascii=False)} }}") as server:
        assert await _reaches(_read(monkeypatch, NATS_URL=server.url.replace("//", f"//{quote(secret, safe='')}@")))


@pytest.mark.parametrize("secret", ["p@ss", "a:b", "p%ss", "p+s", "p=s&"])
async def test_what_needs_no_encoding_may_stand_as_it_is(tmp_path, monkeypatch, secret):
    with _configured(
        tmp_path, f"authorization {{ user: me, password: {json.dumps(secret, ensure_ascii=False)} }}"
    ) as server:
        assert await _reaches(_read(monkeypatch, NATS_URL=server.url.replace("//", f"//me:{secret}@")))


async def test_what_is_decoded_is_compared(tmp_path, monkeypatch):
    with _configured(tmp_path, "authorization { user: me, password: 'p%40ss' }") as server:
        settings = _read(monkeypatch, NATS_URL=server.url.replace("//", "//me:p%40ss@"))
        with pytest.raises(NoServersError):
            await _reaches(settings)
        for _ in range(10):
            with pytest.raises(Unreachable) as refused:
                async with connected(settings, 20):
                    pass
            # NATS closes at once, and what it says before can be lost with the connection (RFC 1122, 4.2.2.13).
            if "reset by peer" not in str(refused.value):
                break
        assert "refused: authorization" in str(refused.value)


async def test_several_addresses_each_with_a_login_of_its_own(tmp_path, monkeypatch):
    for name, password in (("one", "p@1"), ("two", "p@2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "nats.conf").write_text(f"authorization {{ user: {name}, password: {password!r} }}")
    with (
        nats_server(0, "-c", str(tmp_path / "one" / "nats.conf")) as one,
        nats_server(0, "-c", str(tmp_path / "two" / "nats.conf")) as two,
    ):
        logins = [
            server.url.replace("//", f"//{name}:p%40{n}@").replace("localhost", "127.0.0.1")
            for n, (name, server) in enumerate([("one", one), ("two", two)], 1)
        ]
        one.stop()
        settings = _read(monkeypatch, NATS_URL=f"  {logins[0]} ,\t{logins[1]}, ")
        assert settings.servers == tuple(logins)
        assert await _reaches(settings)


async def test_a_command_passes_over_addresses_where_nobody_answers(nats):
    with unanswered() as port, stalling(lambda _: None) as silent:
        servers = (f"nats://127.0.0.1:{port}", f"nats://127.0.0.1:{silent.port}", nats.url)
        async with connected(NatsSettings(servers=servers), 6, dont_randomize=True) as asking:
            assert asking.connected_url.port == int(nats.url.rpartition(":")[2])


async def test_a_command_passes_over_a_server_that_refuses_it(tmp_path, nats):
    with _configured(tmp_path, "authorization { user: me, password: 'p' }") as refusing:
        settings = NatsSettings(servers=(refusing.url, nats.url))
        async with connected(settings, 20, dont_randomize=True) as asking:
            assert asking.connected_url.port == int(nats.url.rpartition(":")[2])


def test_a_password_in_an_address_is_known_in_both_forms(monkeypatch):
    nats = _read(monkeypatch, NATS_URL="nats://me:p%40ss@a:1,nats://s3cr%3At@b:2,nats://[::1]:4222,nats://me:plain@c")
    assert set(nats.secrets) == {"p%40ss", "p@ss", "s3cr%3At", "s3cr:t", "plain"}


async def test_an_address_of_ipv6(tmp_path, monkeypatch):
    with _configured(tmp_path, "authorization { user: me, password: 'p@ss' }") as server:
        # The server listens on one address of IPv4, which IPv6 can name as well.
        port = server.url.rpartition(":")[2]
        settings = _read(monkeypatch, NATS_URL=f"nats://me:p%40ss@[::ffff:127.0.0.1]:{port}")
        assert await _reaches(settings)


WRITTEN = {
    "as nsc writes it": lambda text: text,
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "a byte order mark": lambda text: "\ufeff" + text,
    "blank lines": lambda text: "\n\n" + text.replace("-----\n", "-----\n\n"),
    "spaces around": lambda text: "".join(f"  {line} \t\n" for line in text.splitlines()),
    "all of it": lambda text: "\ufeff\r\n" + text.replace("-----\n", "-----\n \n").replace("\n", " \r\n"),
    "no line end": lambda text: text.partition("\n------END USER")[0],
}


@pytest.mark.parametrize("title", WRITTEN)
async def test_a_credentials_file_of_a_server_in_operator_mode(tmp_path, monkeypatch, title):
    mode = OperatorMode()
    file = tmp_path / "user.creds"
    file.write_bytes(WRITTEN[title](mode.credentials).encode())
    with _configured(tmp_path, mode.config) as server:
        settings = _read(monkeypatch, NATS_URL=server.url, NATS_CREDENTIALS=str(file))
        assert await _reaches(settings)
        with pytest.raises(NoServersError):
            await _reaches(NatsSettings(servers=(server.url,), credentials=None))


async def test_the_service_serves_with_such_a_file(tmp_path, monkeypatch):
    mode = OperatorMode()
    crlf, plain = tmp_path / "crlf.creds", tmp_path / "plain.creds"
    crlf.write_bytes(mode.credentials.replace("\n", "\r\n").encode())
    plain.write_text(mode.credentials)
    with _configured(tmp_path, mode.config) as server:
        nats = _read(monkeypatch, NATS_URL=server.url, NATS_CREDENTIALS=str(crlf))
        settings = Settings(nats, MockSettings(), HttpSettings(port=0, bind="127.0.0.1"))
        async with (
            running(settings) as service,
            await nats_py.connect(server.url, user_credentials=str(plain)) as client,
        ):
            await service.broker.start()
            reply = await client.request("lfx.auth-service.email_to_sub", b"ada@example.org", timeout=60)
    assert reply.data == b"auth0|ada"


async def test_credentials_are_read_anew_at_every_connection(tmp_path):
    mode, other = OperatorMode(), OperatorMode()
    file = tmp_path / "user.creds"
    file.write_text(mode.credentials)
    with _configured(tmp_path, mode.config) as server:
        settings = NatsSettings(servers=(server.url,), credentials=file)
        file.write_text(other.credentials)
        with pytest.raises(NoServersError):
            await _reaches(settings)
        file.write_text(mode.credentials)
        assert await _reaches(settings)


@pytest.mark.parametrize("spoilt", ["", "-----BEGIN NATS USER JWT-----", "nothing\n"])
async def test_credentials_that_are_spoilt_meanwhile_end_the_attempt_and_not_the_process(tmp_path, spoilt):
    mode = OperatorMode()
    file = tmp_path / "user.creds"
    file.write_text(mode.credentials)
    with _configured(tmp_path, mode.config) as server:
        settings = NatsSettings(servers=(server.url,), credentials=file)
        file.write_text(spoilt)
        with pytest.raises(NoServersError):
            async with asyncio.timeout(60):
                await _reaches(settings)
        with pytest.raises(Unreachable, match="invalid user credentials"):
            async with connected(settings, 20):
                pass


@pytest.mark.parametrize("seed", [SEED, f"{SEED}\n", f"{SEED}\r\n", f"\ufeff{SEED}", f"\n\n  {SEED}\t\r\n"])
async def test_an_nkey_seed_with_what_is_left_around_it(tmp_path, monkeypatch, seed):
    with _configured(tmp_path, f"authorization {{ users: [ {{ nkey: {PUBLIC} }} ] }}") as server:
        assert await _reaches(_read(monkeypatch, NATS_URL=server.url, NATS_NKEY_SEED=seed))


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00" * 100, b"\xff\xfe", "-----BEGIN NATS USER JWT-----\nx\n".encode("utf-16"), b"x\n" * 100_000],
)
def test_what_is_no_credentials_file_is_a_configuration_error(tmp_path, monkeypatch, content):
    file = tmp_path / "user.creds"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="NATS_CREDENTIALS: holds no user JWT and seed"):
        _read(monkeypatch, NATS_CREDENTIALS=str(file))
