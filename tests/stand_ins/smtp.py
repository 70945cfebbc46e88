# SPDX-License-Identifier: MIT
"""A mail server that keeps what it gets: with or without STARTTLS, accepting, refusing, hanging."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import SMTP, AuthResult

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from email.message import EmailMessage


@dataclass
class Mail:
    """A mail as it came: the envelope, whether by TLS, and the message, which is understood when somebody reads it."""

    sender: str
    recipients: list[str]
    secure: bool
    raw: bytes

    @cached_property
    def message(self) -> EmailMessage:
        """The message with its headers and parts."""
        return email.message_from_bytes(self.raw, policy=email.policy.default)


@dataclass
class MailServer:
    """The server; `faults` says at what stage it does wrong, and how: a reply, `hang`, or `hang up`."""

    faults: dict[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    credentials: tuple[str, str] | None = None
    mails: list[Mail] = field(default_factory=list)
    logins: list[tuple[str, bool]] = field(default_factory=list)
    port: int = 0

    def received(self, mail: Mail) -> None:
        """Take note of a mail, for whoever wants to."""

    async def _fault(self, stage: str, server: SMTP) -> str:
        fault = self.faults.get(stage, "")
        if fault == "hang":
            await asyncio.sleep(60)
        if fault == "hang up":
            server.transport.abort()
        return fault

    async def handle_MAIL(self, server: SMTP, _session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802 - aiosmtpd looks for that name
        if fault := await self._fault("sender", server):
            return fault
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server: SMTP, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802 - as above
        if fault := await self._fault("recipient", server):
            return fault
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802 - as above
        if fault := await self._fault("message", server):
            return fault
        mail = Mail(envelope.mail_from, list(envelope.rcpt_tos), session.ssl is not None, envelope.content)
        self.mails.append(mail)
        self.received(mail)
        return "250 OK"

    def _authenticate(self, _server: SMTP, session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        given = (data.login.decode(), data.password.decode())
        self.logins.append((given[0], session.ssl is not None))
        # Not `handled`: then the server answers, 235 or 535.
        return AuthResult(success=given == self.credentials, handled=False)

    def code(self, address: str) -> str:
        """Return the code of the last mail to that address."""
        text = [m for m in self.mails if m.recipients == [address]][-1].message.get_body(("plain",)).get_content()
        return re.search(r"^ +(\d{6})\s*$", text, re.MULTILINE)[1]

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[MailServer]:
        connections: set[asyncio.Transport] = set()

        class Connection(SMTP):
            def connection_made(self, transport: Any) -> None:
                connections.add(transport)
                super().connection_made(transport)

        def protocol() -> SMTP:
            return Connection(
                self,
                enable_SMTPUTF8=True,
                tls_context=self.tls,
                authenticator=self._authenticate if self.credentials else None,
                auth_require_tls=False,
                hostname="mail.test",
            )

        server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for transport in connections:
                transport.abort()
            await asyncio.sleep(0)
