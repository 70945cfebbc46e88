# SPDX-License-Identifier: MIT
from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime

import pytest

from tests.support.contract import JWT, SUBJECT, TOKEN, data, encoded, failure, filled
from tests.support.people import ada, grace
from tests.support.transports import PREFIX, OverNats
from tests.support.waiting import until
from tests.support.worlds import WORLDS

pytestmark = pytest.mark.asyncio(loop_scope="module")

UPDATE = "user_metadata.update"
SUBJECTS = (
    "email_to_username",
    "email_to_sub",
    "username_to_sub",
    "user_metadata.read",
    "user_metadata.update",
    "user_emails.read",
    "user_emails.set_primary",
    "email_linking.send_verification",
    "email_linking.verify",
    "user_identity.list",
    "user_identity.link",
    "user_identity.unlink",
    "add_alias",
    "password.update",
    "password.reset_link",
    "impersonation.token_exchange",
)


def _change(**fields: object) -> dict[str, object]:
    return {"token": TOKEN, "user_metadata": fields}


async def test_a_change_publishes_the_whole_metadata(fresh):
    before = datetime.now(UTC)
    await fresh.ask(UPDATE, _change(city="Oslo", shoe_size=43))
    [event] = await fresh.service.events()
    stamp = event.pop("timestamp")
    assert event == {
        "user_id": "auth0|ada",
        "principal": "auth0|ada",
        "user_metadata": {"name": "Ada Lovelace", "city": "Oslo", "country": "GB"},
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", stamp)
    assert before <= datetime.fromisoformat(stamp) <= datetime.now(UTC)


async def test_events_of_one_user_come_in_the_order_of_their_timestamps(fresh):
    for city in "abc":
        await fresh.ask(UPDATE, {"token": JWT, "user_metadata": {"city": city}}, grace)
    events = await fresh.service.events()
    assert [event["user_metadata"]["city"] for event in sorted(events, key=lambda e: e["timestamp"])] == ["a", "b", "c"]
    assert len({event["timestamp"] for event in events}) == 3


async def test_no_change_and_no_success_publish_nothing(fresh):
    await fresh.ask(UPDATE, _change())
    await fresh.ask(UPDATE, _change(unknown="x"))
    await fresh.ask(UPDATE, {**_change(city="Oslo"), "token": SUBJECT})
    await fresh.ask(UPDATE, b"[")
    assert await fresh.service.events() == []


async def test_changes_of_many_fields_at_once_lose_none(fresh):
    fields = [
        "picture",
        "zoneinfo",
        "given_name",
        "family_name",
        "job_title",
        "organization",
        "state_province",
        "postal_code",
    ]
    await asyncio.gather(*(fresh.ask(UPDATE, _change(**{field: field}), grace) for field in fields))
    assert await fresh.ask("user_metadata.read", SUBJECT, grace) == data({field: field for field in fields})


async def test_identities_linked_and_unlinked_at_once_lose_none(fresh):
    def link(number: int) -> dict[str, object]:
        proof = fresh.world.identity_token(f"github|{number}")
        return {"user": {"auth_token": TOKEN}, "link_with": {"identity_token": proof}}

    await asyncio.gather(*(fresh.ask("user_identity.link", link(number), grace) for number in range(20)))
    listed = await fresh.ask("user_identity.list", {"user": {"auth_token": SUBJECT}}, grace)
    numbers = {entry["user_id"] for entry in listed["data"] if entry["provider"] == "github"}
    assert numbers == {str(number) for number in range(20)}


async def test_a_request_without_a_reply_subject_is_handled_and_nothing_is_published(over_nats):
    heard: list[str] = []

    async def hear(message) -> None:
        # An upstream behind NATS gets its answers on inboxes too; a reply of the service says `success`.
        if b'"success"' in message.data:
            heard.append(message.subject)

    client = over_nats.service.client
    await client.subscribe("_INBOX.>", cb=hear)
    await client.flush()
    for subject in SUBJECTS:
        await client.publish(PREFIX + subject, b"{}")
    await client.publish(PREFIX + UPDATE, encoded(filled(_change(city="Oslo"), over_nats.world, ada)))
    await until(over_nats.service.events)  # subjects do not wait for one another
    assert (await over_nats.ask("user_metadata.read", "ada"))["data"]["city"] == "Oslo"
    await client.flush()
    assert len(heard) == 1


@pytest.mark.parametrize("subject", SUBJECTS)
async def test_every_subject_answers_an_empty_body(shared, subject):
    reply = await shared.ask(subject, b"")
    assert reply["success"] is False
    assert set(reply) == {"success", "error"}


async def test_names_outside_the_contract_have_no_responder(over_nats):
    inbox = over_nats.service.client.new_inbox()
    subscription = await over_nats.service.client.subscribe(inbox)
    await over_nats.service.client.publish(PREFIX + "email_to_nothing", b"ada@example.org", reply=inbox)
    status = await subscription.next_msg(5)
    assert status.headers["Status"] == "503"


async def test_one_replica_of_two_answers(over_nats, world_name, another_nats, tmp_path):

    async with OverNats.serving(WORLDS[world_name](tmp_path), another_nats.url):
        for _ in range(50):
            assert await over_nats.ask("email_to_sub", "nobody@example.org") == failure("user not found")
