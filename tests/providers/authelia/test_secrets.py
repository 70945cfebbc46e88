# SPDX-License-Identifier: MIT
"""Where secrets are, and where they are not: storage, logs and errors of a whole way with faults on it."""

from __future__ import annotations

import io

import pytest
from loguru import logger
from pydantic import SecretStr

from app.domain.errors import ServiceError
from app.domain.users import Address
from tests.stand_ins.kubernetes import CONFIGMAP, DAEMONSET, SECRET
from tests.support.authelia import BUCKETS, PEOPLE, signing_key, users_file
from tests.support.parts import caller
from tests.support.people import grace
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("people")
NEW = Address("new@example.org")
OTHERS = users_file(tuple(person for person in PEOPLE if person is not grace))


@pytest.fixture
def everything_logged():
    """What is logged before any redaction, with what tracebacks would show."""
    stream = io.StringIO()
    handler = logger.add(stream, level=0, format="{message} {extra} {exception}", backtrace=True, diagnose=False)
    yield stream
    logger.remove(handler)


async def _stored(js):
    """Every message of every bucket, history included, by bucket."""
    found = {}
    for bucket in BUCKETS:
        state = (await js.stream_info(f"KV_{bucket}")).state
        found[bucket] = []
        for number in range(state.first_seq, state.last_seq + 1):
            try:
                message = await js.get_msg(f"KV_{bucket}", number)
            except Exception:  # noqa: BLE001 - replaced since
                continue
            found[bucket].append(f"{message.subject} {(message.data or b'').decode()}")
    return found


async def _whole_way(stage, settings):
    """Synchronise with faults, send a code, guess wrong and right, link; return the secrets that came up."""
    stage.kubernetes.file = OTHERS
    stage.kubernetes.once = {f"update {CONFIGMAP}": 409, f"patch {DAEMONSET}": 500, f"update {SECRET}": 409}
    stage.userinfo.faults = [500, "garbage"]
    token = "authelia_at_very-secret"
    stage.userinfo.claims[token] = {"preferred_username": "grace.hopper", "sub": grace.subject}
    errors = []
    async with stage.replica(settings, after_failure=0.05, restart=0.0) as provider:
        await until(lambda: not any(provider.readiness().values()))
        await provider.callers.verify(token, scope="")
        await provider.verification.send_code(NEW)
        code = stage.mail.code(NEW)
        proofs = []
        for guess in ("000000" if code != "000000" else "111111", code, code):
            try:
                proofs.append((await provider.verification.redeem(NEW, guess)).id_token)
            except ServiceError as error:
                errors.append(error)
        await provider.identities.link(caller("grace.hopper"), proofs[0], f"email|{NEW}")
        stage.mail.faults["message"] = f"554 {code} {NEW}"
        try:
            await provider.verification.send_code(Address("other@example.org"))
        except ServiceError as error:
            errors.append(error)
    password = stage.kubernetes.password("grace.hopper")
    hashed = stage.kubernetes.users["grace.hopper"]["password"]
    secrets = {"code": code, "password": password, "hash": hashed, "token": token, "proof": proofs[0]}
    return secrets, errors


async def test_no_secret_is_stored_in_clear(stage, js):
    secrets, _ = await _whole_way(stage, stage.settings(signing_key=None))
    stored = await _stored(js)
    for name, secret in secrets.items():
        places = [line for lines in stored.values() for line in lines if secret in line.partition(" ")[2]]
        # Six digits may stand in a time or a hash by chance; a code in clear would be a value of its own.
        if name == "code":
            places = [line for line in places if f'"{secret}"' in line or line.endswith(f" {secret}")]
        assert places == [], name
    assert NEW not in str(stored["authelia-email-otp"]) + str(stored["authelia-otp-ledger"])


async def test_the_signing_key_is_in_its_bucket_and_nowhere_else(stage, js):
    await _whole_way(stage, stage.settings(signing_key=None))
    stored = await _stored(js)
    assert [bucket for bucket, lines in stored.items() if "PRIVATE KEY" in str(lines)] == ["authelia-signing-key"]
    assert len(stored["authelia-signing-key"]) == 1


async def test_a_signing_key_that_is_given_is_not_stored(stage, js):
    await _whole_way(stage, stage.settings(signing_key=SecretStr(signing_key())))
    assert (await _stored(js))["authelia-signing-key"] == []


@pytest.mark.parametrize("given", [None, SecretStr(signing_key())], ids=["made", "given"])
async def test_no_secret_is_in_a_log_or_an_error(stage, everything_logged, given):
    secrets, errors = await _whole_way(stage, stage.settings(signing_key=given))
    said = everything_logged.getvalue() + "".join(repr((e, str(e), e.__cause__, e.__context__)) for e in errors)
    assert "Authelia is restarted" in said
    for name, secret in secrets.items():
        assert secret not in said, name
    assert "PRIVATE KEY" not in said
    assert signing_key()[100:140] not in said
