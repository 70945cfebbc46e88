# SPDX-License-Identifier: MIT
"""The client for callers in Python, on the running service and on one that is told how to fail."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import zipfile
from contextlib import asynccontextmanager
from pathlib import Path

import nats as client_library
import pytest
from opentelemetry.sdk.trace import TracerProvider

from app.domain import errors
from clients.python import lfx_auth_service as client
from routers import subjects
from tests.support.command import started
from tests.support.ports import nats_server

PACKAGE = Path(client.__file__).parent


@pytest.fixture(scope="module")
def served():
    aliases = {"ALLOWED_ALIAS_DOMAINS": "linux.com"}
    with (
        nats_server() as server,
        started("serve", NATS_URL=server.url, PORT="0", BIND="127.0.0.1", **aliases) as process,
    ):
        process.until('"ready"')
        yield server.url, process


@pytest.fixture
async def auth(served):
    connection = await client_library.connect(served[0])
    yield client.AuthService(connection)
    await connection.close()


@asynccontextmanager
async def answering(url, *replies):
    """A client of something that gives these replies, the last for ever, and no reply for None; what it was sent."""
    connection = await client_library.connect(url)
    sent = []

    async def answer(message):
        sent.append(message)
        reply = replies[min(len(sent), len(replies)) - 1]
        if reply is not None:
            await message.respond(reply if isinstance(reply, bytes) else json.dumps(reply).encode())

    await connection.subscribe("other.>", cb=answer)
    yield client.AuthService(connection, prefix="other."), sent
    await connection.close()


async def test_look_ups_and_reads(auth):
    assert await auth.email_to_sub("ada@example.org") == "auth0|ada"
    assert await auth.email_to_username("ADA@example.org") == "ada"
    assert await auth.username_to_sub("grace.hopper") == "auth0|grace.hopper"
    assert (await auth.metadata("ada"))["family_name"] == "Lovelace"
    emails = await auth.emails("auth0|ada")
    assert emails.primary_email == "ada@example.org"
    assert client.AlternateEmail("ada@lovelace.example", verified=True) in emails.alternate_emails
    google = next(one for one in await auth.identities("ada-token") if one.provider == "google-oauth2")
    assert (google.is_social, google.email_verified, bool(google.name)) == (True, True, True)


async def test_an_address_is_verified_linked_made_primary_and_unlinked(auth, served):
    await auth.send_verification("grace@work.example")
    code = re.search(r"verification code for .*?: (\d{6})", served[1].until(re.compile(r"code for .*?: \d{6}")))[1]
    await auth.link_identity("grace-token", await auth.verify_email("grace@work.example", code))
    await auth.set_primary_email("grace-token", "grace@work.example")
    assert (await auth.emails("grace.hopper")).primary_email == "grace@work.example"
    with pytest.raises(client.EmailAlreadyLinked):
        await auth.send_verification("grace@work.example")
    await auth.set_primary_email("grace-token", "grace@example.org")
    identity = next(one for one in await auth.identities("grace-token") if one.email == "grace@work.example")
    await auth.unlink_identity("grace-token", identity.provider, identity.user_id)
    with pytest.raises(client.UserNotFound):
        await auth.email_to_sub("grace@work.example")


async def test_changes(auth):
    assert (await auth.update_metadata("grace-token", city="Oslo"))["city"] == "Oslo"
    assert await auth.add_alias("grace-token", "amazing", "linux.com") == "amazing@linux.com"
    await auth.send_reset_link("grace-token")
    with pytest.raises(client.IncorrectPassword):
        await auth.update_password("ada-token", "wrong", "new")
    with pytest.raises(client.ImpersonationUnavailable):
        await auth.impersonate("ada-token", "grace.hopper")


async def test_a_refusal_is_an_exception_by_its_string(auth):
    with pytest.raises(client.UserNotFound) as refused:
        await auth.metadata("nobody")
    assert (refused.value.error, str(refused.value)) == ("user not found", "user not found")
    assert isinstance(refused.value, client.Refused)


def test_there_is_an_exception_for_every_error_of_the_contract():
    malformed = {subject.malformed for subject in subjects() if subject.malformed}
    known = set(client.BY_ERROR)
    assert known == {wire for wire in errors.WIRES | malformed if not wire.startswith("<")}
    for error, kind in client.BY_ERROR.items():
        assert getattr(client, kind.__name__) is kind
        assert kind.error == error or kind is client.MalformedRequest


@pytest.mark.parametrize("error", ["access_denied: no", "a string of a later version"])
async def test_an_error_that_is_not_known_is_a_refusal(served, error):
    async with answering(served[0], {"success": False, "error": error}) as (auth, _):
        with pytest.raises(client.Refused) as refused:
            await auth.metadata("ada")
        assert (type(refused.value), refused.value.error) == (client.Refused, error)
        with pytest.raises(client.ImpersonationRefused, match=error):
            await auth.impersonate("token", "ada")


OVERLOADED = {"success": False, "error": "service is overloaded, try again later"}


async def test_what_passes_is_asked_again_where_that_is_safe(served):
    async with answering(served[0], OVERLOADED, OVERLOADED, b"auth0|ada") as (auth, sent):
        assert await auth.email_to_sub("ada@example.org") == "auth0|ada"
        assert len(sent) == 3
    async with answering(served[0], OVERLOADED) as (auth, sent):
        with pytest.raises(client.Overloaded):
            await auth.send_verification("ada@new.example")
        assert len(sent) == 1


async def test_the_callers_deadline_bounds_the_wait_of_all_that_is_asked(served):
    async with answering(served[0], None) as (auth, sent):
        begun = time.monotonic()
        with client.within(0.3), pytest.raises(client.Unanswered), client.within(600):
            await auth.email_to_sub("ada@example.org")
        assert time.monotonic() - begun < 5
        assert len(sent) <= 3
        with client.within(0), pytest.raises(client.Unanswered, match="no time was left"):
            await auth.email_to_sub("ada@example.org")


async def test_nobody_who_serves_is_told_at_once(served):
    connection = await client_library.connect(served[0])
    with client.within(0.2), pytest.raises(client.Unavailable):
        await client.AuthService(connection, prefix="nobody.").email_to_sub("ada@example.org")
    await connection.close()


async def test_a_request_continues_the_callers_trace(served):
    async with answering(served[0], b"auth0|ada") as (auth, sent):
        with TracerProvider().get_tracer("test").start_as_current_span("caller") as span:
            await auth.email_to_sub("ada@example.org")
        await auth.email_to_sub("ada@example.org")
    assert f"{span.get_span_context().trace_id:032x}" in sent[0].headers["traceparent"]
    assert sent[1].headers is None


ASKED = [
    lambda auth: auth.email_to_username("a"),
    lambda auth: auth.email_to_sub("a"),
    lambda auth: auth.username_to_sub("a"),
    lambda auth: auth.metadata("a"),
    lambda auth: auth.update_metadata("a", city="b"),
    lambda auth: auth.emails("a"),
    lambda auth: auth.set_primary_email("a", "b"),
    lambda auth: auth.send_verification("a"),
    lambda auth: auth.verify_email("a", "b"),
    lambda auth: auth.identities("a"),
    lambda auth: auth.link_identity("a", "b"),
    lambda auth: auth.unlink_identity("a", "b", "c"),
    lambda auth: auth.add_alias("a", "b", "c"),
    lambda auth: auth.update_password("a", "b", "c"),
    lambda auth: auth.send_reset_link("a"),
    lambda auth: auth.impersonate("a", "b"),
]
NO_REPLIES = [
    *(b"", b"\xff", b"{", b"{}", b'{"success":NaN}', b'{"a":' + b"[" * 100_000, b'{"n":' + b"1" * 5_000 + b"}"),
    *({"success": False}, {"success": False, "error": ["x"]}, {"success": "false", "error": "x"}, {"success": None}),
]
NO_DATA = [
    b"a text",
    *({"success": True}, *({"success": True, "data": data} for data in (None, 5, "x", [1], {"name": 5}))),
    {"success": True, "email": None, "data": {"id_token": 5, "access_token": "", "primary_email": "a"}},
    {"success": True, "data": {"primary_email": "a", "alternate_emails": [{"email": "b", "verified": "true"}]}},
    {"success": True, "data": [{"provider": "a", "user_id": 5, "isSocial": True}]},
]
WITH_DATA = (3, 4, 5, 8, 9, 12, 15)


async def test_what_is_no_reply_of_the_service_is_a_malformed_reply(served):
    told = []
    for reply in [*NO_REPLIES, *NO_DATA]:
        async with answering(served[0], reply) as (auth, sent):
            asked = ASKED if reply in NO_REPLIES else [ASKED[number] for number in WITH_DATA]
            for ask in asked:
                with pytest.raises(client.MalformedReply, match="is no reply of the auth service"):
                    await ask(auth)
            told.append(len(sent) == len(asked))  # a change may have been made: nothing is asked again
    assert all(told)


async def test_fields_that_are_null_or_not_known_change_nothing(served):
    social = {"provider": "a", "user_id": "1", "isSocial": True, "profileData": {"name": None, "age": 5}, "more": {}}
    plain = {"provider": "b", "user_id": "2", "isSocial": False, "profileData": None}
    async with answering(served[0], {"success": True, "data": [social, plain], "more": 1}) as (auth, _):
        assert await auth.identities("a") == [
            client.Identity("a", "1", is_social=True),
            client.Identity("b", "2", is_social=False),
        ]
    async with answering(served[0], {"success": True, "data": {"city": None, "bio": "x"}}) as (auth, _):
        assert await auth.metadata("a") == {"bio": "x"}


async def test_a_prefix_needs_no_dot_and_half_a_character_is_for_the_service_to_refuse(served):
    connection = await client_library.connect(served[0])
    auth = client.AuthService(connection, prefix="lfx.auth-service")
    with pytest.raises(client.UserNotFound):
        await auth.email_to_sub("\ud800@example.org")
    await connection.close()


async def test_anything_can_be_sent_and_comes_back_as_it_is(served):
    odd = b"\xff\x00{"
    async with answering(served[0], odd) as (auth, sent):
        assert await auth.send("user_emails.read", odd, {"X-Request-Id": "7"}) == odd
    assert (sent[0].data, sent[0].headers) == (odd, {"X-Request-Id": "7"})
    async with answering(served[0], OVERLOADED) as (auth, sent):
        assert json.loads(await auth.send("email_to_sub", b"")) == OVERLOADED
        assert len(sent) == 1


ALONE = """
import asyncio, importlib.util, json, sys
sys.path[:] = [one for one in sys.path if "site-packages" not in one] + [sys.argv[1]]
import lfx_auth_service, nats

async def main():
    async with await nats.connect(sys.argv[2]) as connection:
        return await lfx_auth_service.AuthService(connection).email_to_sub("ada@example.org")

others = [name for name in ("app", "faststream", "opentelemetry", "pydantic") if importlib.util.find_spec(name)]
print(asyncio.run(main()), others)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", folder, PACKAGE], check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        yield archive


def test_it_is_a_package_of_one_module_that_needs_nats_alone(wheel):
    assert [name for name in wheel.namelist() if name.endswith(".py")] == ["lfx_auth_service.py"]
    (metadata,) = (wheel.read(n).decode() for n in wheel.namelist() if n.endswith("METADATA"))
    assert re.findall(r"^Requires-Dist: ([\w-]+)[^;\n]*$", metadata, re.MULTILINE) == ["nats-py"]


def test_it_asks_where_nothing_else_is_installed(wheel, served, tmp_path):
    wheel.extractall(tmp_path)
    (tmp_path / "nats").symlink_to(Path(client_library.__file__).parent)
    code = [sys.executable, "-I", "-S", "-c", ALONE, tmp_path, served[0]]
    done = subprocess.run(code, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("auth0|ada []\n", "")


def test_a_propagator_that_is_not_installed_leaves_traces_out(monkeypatch):
    monkeypatch.setenv("OTEL_PROPAGATORS", "unheard-of")
    code = "import clients.python.lfx_auth_service as client; print(client._inject)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("None\n", 0)
