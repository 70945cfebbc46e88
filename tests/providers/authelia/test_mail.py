# SPDX-License-Identifier: MIT
"""What is mailed, and mail servers that fail."""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime

import pytest
from aiosmtplib.email import flatten_message
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from pydantic import SecretStr, ValidationError

from app.domain.addresses import parse_address
from app.domain.errors import Fault, ServiceError, VerificationMailFailed
from app.domain.users import Address
from app.observability.upstream_metrics import UpstreamTelemetry
from app.settings.authelia import EmailSettings
from providers.authelia.codes.mailer import Mailer
from providers.authelia.codes.message import code_message
from tests.stand_ins.certificates import write_certificates
from tests.stand_ins.smtp import MailServer
from tests.support.replicas import replicas_of
from tests.support.waiting import PATIENCE, time_left

NEW = Address("new@example.org")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def tls(tmp_path, monkeypatch) -> ssl.SSLContext:
    """A server's certificate, of an authority that this process trusts."""
    authority, certificate, key = write_certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    return context


def _mailer(server: MailServer, **settings) -> Mailer:
    return Mailer(EmailSettings(host="127.0.0.1", port=server.port, **settings), UpstreamTelemetry(CollectorRegistry()))


def _login(server: MailServer, password: str = "p") -> Mailer:
    return _mailer(server, username="u", password=SecretStr(password))


async def _refused(mailer: Mailer, seconds: float = 2.0) -> ServiceError:
    time_left(seconds)
    with pytest.raises(VerificationMailFailed) as refused:
        await mailer.send_code(NEW, "123456")
    assert (mailer.sent, mailer.refused) == (0, 1)
    return refused.value


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ("550 5.1.1 no such user", Fault.CALLER),
        ("553 no such domain", Fault.CALLER),
        ("450 4.2.0 greylisted", Fault.UPSTREAM),
        ("550 5.7.1 relaying denied", Fault.UPSTREAM),
    ],
)
async def test_an_address_of_nobody_is_whose_mistake_it_is(reply, fault):
    async with MailServer({"recipient": reply}).serving() as server:
        assert (await _refused(_mailer(server), PATIENCE)).fault is fault


async def test_a_mail_can_be_read_by_people():
    async with MailServer().serving() as server:
        await _mailer(server, from_name="Platform").send_code(NEW, "123456")
    [mail] = server.mails
    text = mail.message.get_content()
    assert (mail.sender, mail.recipients) == ("noreply@lfx.dev", ["new@example.org"])
    assert mail.message["From"] == "Platform <noreply@lfx.dev>"
    assert mail.message["To"] == "new@example.org"
    assert mail.message["Subject"] == "Your verification code"
    assert (mail.message.get_content_type(), mail.message.get_content_charset()) == ("text/plain", "utf-8")
    assert "    123456" in text.splitlines()
    assert "If you did not ask for it" in text


@pytest.mark.parametrize("left", [0.0, 0.3, 0.5])
async def test_without_time_to_hear_what_became_of_it_no_mail_is_begun(left):
    async with MailServer().serving() as server:
        mailer = _mailer(server)
        time_left(left)
        with pytest.raises(VerificationMailFailed):
            await mailer.send_code(NEW, "123456")
    assert (server.mails, mailer.refused) == ([], 1)


async def test_an_address_beyond_ascii_gets_its_mail():
    async with MailServer().serving() as server:
        await _mailer(server).send_code(Address("łukasz@example.org"), "123456")
    assert [mail.recipients for mail in server.mails] == [["łukasz@example.org"]]


async def test_starttls_is_used_where_it_is_offered(tls):
    async with MailServer(tls=tls).serving() as server:
        await _mailer(server).send_code(NEW, "123456")
    assert [mail.secure for mail in server.mails] == [True]


async def test_without_a_password_an_unknown_certificate_is_no_reason_to_send_no_mail(tls, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    async with MailServer(tls=tls).serving() as server:
        await _mailer(server).send_code(NEW, "123456")
    assert [mail.secure for mail in server.mails] == [True]


async def test_a_password_is_sent_after_starttls(tls):
    async with MailServer(tls=tls, credentials=("u", "p")).serving() as server:
        await _login(server).send_code(NEW, "123456")
    assert server.logins == [("u", True)]
    assert [mail.secure for mail in server.mails] == [True]


async def test_a_password_that_is_refused_is_in_no_error(tls):
    async with MailServer(tls=tls, credentials=("u", "p")).serving() as server:
        error = await _refused(_login(server, "not-the-password"), PATIENCE)
    assert server.mails == []
    assert "not-the-password" not in repr(error.__cause__)


async def test_a_password_is_not_sent_without_starttls():
    async with MailServer(credentials=("u", "p")).serving() as server:
        await _refused(_login(server))
    assert (server.logins, server.mails) == ([], [])


async def test_a_password_is_not_sent_to_a_server_nobody_vouches_for(tls, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    async with MailServer(tls=tls, credentials=("u", "p")).serving() as server:
        await _refused(_login(server))
    assert (server.logins, server.mails) == ([], [])


@pytest.mark.parametrize("fault", ["451 later, new@example.org", "554 no: 123456", "hang", "hang up"])
@pytest.mark.parametrize("stage_of_it", ["sender", "recipient", "message"])
async def test_a_server_that_refuses_or_hangs_is_a_clean_error(fault, stage_of_it):
    async with MailServer(faults={stage_of_it: fault}).serving() as server:
        error = await _refused(_mailer(server))
    assert server.mails == []
    assert str(error) == "failed to send verification email"
    assert "new@example.org" not in repr(error.__cause__)
    assert "123456" not in repr(error.__cause__)


async def test_a_mail_server_that_is_away():
    await _refused(Mailer(EmailSettings(host="127.0.0.1", port=1), UpstreamTelemetry(CollectorRegistry())))


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("fault", ["451 later", "554 no"])
async def test_without_a_mail_there_is_no_code(stage, js, fault):
    stage.mail.faults["message"] = fault
    async with stage.replica() as provider:
        with pytest.raises(VerificationMailFailed):
            await provider.verification.send_code(NEW)
        assert provider.measurements()["auth_service_mails_refused_total"] == 1
    assert (await js.stream_info("KV_authelia-email-otp")).state.messages == 0


INJECTIONS = [
    "new@example.org\r\nBcc: eve@example.org",
    "new@example.org\nTo: eve@example.org",
    "new@example.org, eve@example.org",
    "new@example.org;eve@example.org",
    "new@example.org>\r\nRCPT TO:<eve@example.org",
    "<new@example.org>",
    "Eve <eve@example.org>",
    "new@example.org\x00",
    '"new\r\n"@example.org',
    "=?utf-8?q?eve=40example.org=2c_x?=@example.org",
    "=?utf-8?q?a=0d=0abcc=3a_eve=40example.org?=@example.org",
    "=?utf-8?q?a=0d=0aSubject=3a_Pay=0d=0a=0d=0aCall_555?=@example.org",
    "=?utf-8?b?YSwgYg==?=@example.org",
    "=?utf-8?q?a=2c_b?=@bücher.example",
    "bob@=?utf-8?q?a?=.org",
    "=?utf-8?q?a?=@=?utf-8?q?b?=.org",
]


@pytest.mark.parametrize("address", INJECTIONS)
async def test_no_address_adds_a_header_or_a_recipient(address):
    """The check of the subject stops these before; the mailer does not rely on it."""
    async with MailServer().serving() as server:
        with pytest.raises(VerificationMailFailed):
            await _mailer(server).send_code(Address(address), "123456")
    assert server.mails == []


WORDS = st.text("=?_.-+!#$%&'*/^`{|}~qQbB8utf0d0aAZ40", min_size=1, max_size=60)


@given(st.builds("{}@{}.org".format, WORDS, st.sampled_from(["example", "bücher", "=?utf-8?q?a?="])))
@example("=?utf-8?q?a=40b?=@example.org")
def test_the_address_stands_in_the_header_as_it_is_or_there_is_no_mail(text):
    try:
        address = parse_address(text, VerificationMailFailed)
        message = code_message(address, "123456", "a@b.org", "", NOW)
    except (VerificationMailFailed, ValueError):
        return
    head = flatten_message(message, utf8=not address.isascii()).decode().partition("\r\n\r\n")[0]
    assert re.findall(r"^(?i:to|cc|bcc):(.*)$", head.replace("\r\n ", ""), re.MULTILINE) == [f" {address}\r"]


@pytest.mark.parametrize("name", ["A\r\nBcc: eve@example.org", "A\nB", "A\x00"])
def test_a_senders_name_with_a_line_break_is_a_bad_setting(name):
    with pytest.raises(ValidationError):
        EmailSettings(EMAIL_FROM_NAME=name)


@pytest.mark.usefixtures("people")
async def test_a_mail_server_that_hangs_is_told_within_the_time_of_the_request(stage):
    """That the send was counted, which is a write, gives the work more time and the mail none."""
    stage.mail.faults["message"] = "hang"
    async with replicas_of(stage, 1, seconds=4.0) as one:
        found = await one.ask("email_linking.send_verification", NEW)
    assert found == {"success": False, "error": "failed to send verification email"}
