# SPDX-License-Identifier: MIT
"""Changes at random over three replicas that remember: no read after a confirmed change shows what was before it.

`REMEMBERED_CHANGES=10000` makes that many.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os

import pytest

from tests.providers.remembering.course import Course, people
from tests.providers.remembering.replicas import FORGET, NOT_FOUND, PREFIX, replicas
from tests.support.ports import nats_server
from tests.support.waiting import until

CHANGES = int(os.environ.get("REMEMBERED_CHANGES", "60"))
USERS = max(30, CHANGES // 20)


async def test_no_read_after_a_confirmed_change_shows_the_state_before_it(server, nats):
    for user_id, fields in people(USERS).items():
        server.tenant.add_user(user_id, **fields)
    async with replicas(server, nats.url, 3, READ_FRESH_FOR="10m") as service:
        course = Course(service, server.tenant.access_token, USERS, seed=1)
        await course.run(CHANGES)
        assert (course.old, course.made) == ([], CHANGES)
        assert service.counted("auth_service_reads_total", source="fresh") > 0
        # Every message reaches all three.
        assert service.counted("auth_service_forgets_received_total") >= 3 * CHANGES


async def test_what_was_changed_while_a_replica_was_cut_off_is_seen_by_it(server):
    with nats_server() as away:
        async with replicas(server, away.url, 3, READ_FRESH_FOR="10m", NATS_MAX_RECONNECT="-1") as service:
            for round_ in itertools.count(1):
                await service.everywhere("user_metadata.read", "ada")
                away.stop()
                away.start()
                await asyncio.sleep(0.2)
                server.tenant.accounts.change(server.tenant.user("ada"), user_metadata={"city": f"City {round_}"})
                reply = await service.everywhere("user_metadata.read", "ada")
                assert reply["data"]["city"] == f"City {round_}"
                if round_ == 2:
                    break


async def test_a_change_is_told_before_its_reply_is_there(server, nats):
    async with replicas(server, nats.url, 1) as service:
        heard = await service.client.subscribe(FORGET)
        await service.client.flush()
        await service.move("ada", "Turin")
        assert (await heard.next_msg(timeout=0.001)).subject == FORGET


async def test_a_replica_without_the_secret_makes_the_others_ask_again(server, nats):
    async with replicas(server, nats.url, 2, READ_FRESH_FOR="10m") as service:
        await service.everywhere("user_metadata.read", "ada")
        server.tenant.accounts.change(server.tenant.user("ada"), user_metadata={"city": "Turin"})
        assert (await service.everywhere("user_metadata.read", "ada"))["data"]["city"] != "Turin"
        await service.client.publish(FORGET, b"forget all")
        await service.client.flush()
        assert (await service.everywhere("user_metadata.read", "ada"))["data"]["city"] == "Turin"


@pytest.mark.parametrize("subject", ["user_emails.set_primary", "email_linking.send_verification"])
async def test_what_a_write_depends_on_is_not_taken_from_memory(subject, server, nats):
    """An address that was verified, or given to somebody, in the tenant itself."""
    async with replicas(server, nats.url, 1, READ_FRESH_FOR="10m") as service:
        await service.ask("user_emails.read", {"user": {"auth_token": server.tenant.access_token("grace.hopper")}})
        await service.ask("email_to_sub", "grace@new.example")
        server.tenant.add_user(
            "auth0|grace.hopper",
            username="grace.hopper",
            email="grace@example.org",
            alternates=[("grace@new.example", True)],
        )
        if subject == "user_emails.set_primary":
            token = server.tenant.access_token("grace.hopper")
            reply = await service.ask(subject, {"user": {"auth_token": token}, "email": "grace@new.example"})
            assert reply == {"success": True, "message": "primary email updated successfully"}
        else:
            reply = await service.ask(subject, "grace@new.example")
            assert reply == {"success": False, "error": "email already linked"}


@pytest.mark.parametrize("asks_first", [True, False])
async def test_who_has_linked_an_address_is_found_by_it_and_nobody_who_had_it_before(asks_first, server, nats):
    """The one who had it was deleted in the tenant itself, so nobody told of it."""
    tenant, address = server.tenant, "grace@new.example"
    tenant.add_user("auth0|before", username="before", email=address)
    async with replicas(server, nats.url, 2, READ_FRESH_FOR="10m") as service:
        assert await service.everywhere("email_to_sub", address) == "auth0|before"
        tenant.accounts.remove(tenant.user("auth0|before"))
        if asks_first:
            assert (await service.ask("email_linking.send_verification", address))["success"]
            await until(lambda: service.counted("auth_service_forgets_received_total") == 2)
            assert await service.everywhere("email_to_sub", address) == NOT_FOUND
            body = {"email": address, "otp": tenant.records.code_for(address)}
            identity_token = (await service.ask("email_linking.verify", body))["data"]["id_token"]
        else:
            identity_token = tenant.id_token("email|new", email=address, email_verified=True)
        user, link_with = {"auth_token": tenant.access_token("ada")}, {"identity_token": identity_token}
        linked = await service.ask("user_identity.link", {"user": user, "link_with": link_with})
        assert linked == {"success": True, "message": "identity linked successfully"}
        assert await service.everywhere("email_to_sub", address) == "auth0|ada"


async def test_a_request_after_a_change_is_told_is_not_served_before_it_is_heard(server, nats):
    """A request, the news of a change, a request: all in one piece, as they come to a busy process."""
    async with replicas(server, nats.url, 1, READ_FRESH_FOR="10m") as service:
        inbox = service.client.new_inbox()
        replies = await service.client.subscribe(f"{inbox}.*")
        for number in range(10):
            await service.ask("user_metadata.read", "ada")
            server.tenant.accounts.change(server.tenant.user("ada"), user_metadata={"city": f"City {number}"})
            for subject, body, reply in (
                (PREFIX + "user_metadata.read", b"ada", f"{inbox}.before"),
                (FORGET, b"forget all", ""),
                (PREFIX + "user_metadata.read", b"ada", f"{inbox}.after"),
            ):
                await service.client.publish(subject, body, reply=reply)
            answers = [await replies.next_msg(timeout=60) for _ in range(2)]
            (after,) = [json.loads(answer.data) for answer in answers if answer.subject.endswith("after")]
            assert after["data"]["city"] == f"City {number}"
