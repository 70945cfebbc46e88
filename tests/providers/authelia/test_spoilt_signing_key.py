# SPDX-License-Identifier: MIT
"""A signing key in storage that is none: what still works, what is said of it, and how it comes back."""

from __future__ import annotations

import asyncio

import pytest
from loguru import logger

from app.domain.errors import ProviderUnavailable
from app.domain.users import Address
from providers.authelia.codes.signing import SigningKey
from providers.authelia.start import Start
from tests.stand_ins.kubernetes import CONFIGMAP
from tests.support.authelia import PEOPLE, signing_key, users_file
from tests.support.basics import Clock
from tests.support.buckets import MemoryBucket
from tests.support.people import ada
from tests.support.virtual_time import in_virtual_time, now
from tests.support.waiting import until

NEW = Address("new@example.org")
NO_KEY = "must be an RSA private key, PEM or base64 of that"


@pytest.mark.usefixtures("people")
async def test_without_one_all_but_codes_and_proofs_works_and_readiness_says_so(stage, js):
    bucket = await js.create_key_value(bucket="authelia-signing-key")
    await bucket.put("signing-key", b"spoilt")
    stage.kubernetes.file = users_file(PEOPLE[1:])
    async with stage.replica(stage.settings(signing_key=None)) as provider:
        await until(lambda: not provider.readiness()["kubernetes?"])
        assert stage.kubernetes.count("update", CONFIGMAP) == 1
        assert provider.readiness() == {"storage": "", "signing key?": NO_KEY, "kubernetes?": ""}
        assert (await provider.directory.by_subject(ada.subject)).username == "ada"
        with pytest.raises(ProviderUnavailable):
            await provider.verification.send_code(NEW)
        await bucket.put("signing-key", signing_key().encode())
        await until(lambda: not provider.readiness()["signing key?"])
        await provider.verification.send_code(NEW)


@in_virtual_time
async def test_it_is_looked_for_each_second_and_the_fault_is_logged_once():
    bucket = MemoryBucket(0, Clock())
    revision = await bucket.put("signing-key", b"spoilt", 0)
    start = Start(bucket.opened, SigningKey(None, bucket.opened, Clock()).keys)
    lines = []
    handler = logger.add(lines.append, level="WARNING", format="{message} {extra[error]}")
    keeping = asyncio.create_task(start.keep_key())
    assert start.key_fault == "not read yet"
    await asyncio.sleep(9.5)
    assert start.key_fault == NO_KEY
    await bucket.put("signing-key", signing_key().encode(), revision)
    await until(lambda: not start.key_fault)
    keeping.cancel()
    logger.remove(handler)
    assert now() == pytest.approx(10.0, abs=0.1)
    assert lines == [f"the signing key cannot be read {NO_KEY}\n"]


@in_virtual_time
async def test_a_key_that_is_gone_is_put_back_also_when_nobody_uses_it():
    bucket = MemoryBucket(0, Clock())
    revision = await bucket.put("signing-key", signing_key().encode(), 0)
    start = Start(bucket.opened, SigningKey(None, bucket.opened, Clock()).keys)
    keeping = asyncio.create_task(start.keep_key())
    await asyncio.sleep(5)
    await bucket.delete("signing-key", revision)
    await asyncio.sleep(10)
    assert (await bucket.get("signing-key")).value == signing_key().encode()
    assert start.key_fault == ""
    keeping.cancel()
