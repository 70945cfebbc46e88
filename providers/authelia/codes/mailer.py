# SPDX-License-Identifier: MIT
"""Mail by SMTP. STARTTLS is used where the server offers it, and a password is never sent without it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, cast

import aiosmtplib

from app.domain.addresses import parse_address
from app.domain.deadline import LEFT_FOR_THE_REPLY, current_deadline
from app.domain.errors import Fault, VerificationMailFailed
from providers.authelia.codes.message import code_message

if TYPE_CHECKING:
    from email.message import EmailMessage

    from app.domain.ports import Upstream
    from app.domain.users import Address
    from app.settings.authelia import EmailSettings

_OUTSIDE_A_REQUEST: Final = 10.0
_FAREWELL: Final = 0.25
_PERMANENT: Final = range(500, 600)


class NoTransportSecurity(Exception):
    """The server offers no STARTTLS, and there is a password to send."""


class Mailer:
    """Mails one-time codes."""

    def __init__(self, settings: EmailSettings, upstream: Upstream) -> None:
        """Take how the mail server is reached, in whose name mail is sent, and what notes calls."""
        self._settings = settings
        self._upstream = upstream
        self.sent = 0
        self.refused = 0

    async def send_code(self, address: Address, code: str) -> None:
        """Mail the code to the address. Raises VerificationMailFailed."""
        settings = self._settings
        # Checked before, and again where it would do harm: nothing but one address goes on from here.
        address = parse_address(address, VerificationMailFailed)
        try:
            message = code_message(address, code, settings.from_address, settings.from_name, datetime.now(UTC))
        except ValueError:
            self.refused += 1
            raise VerificationMailFailed().blamed_on(Fault.CALLER) from None
        # Sent once, with all the time there is; that the send was counted, which is a write, prolongs nothing.
        left = current_deadline().until_reply()
        time = _OUTSIDE_A_REQUEST if left == float("inf") else left - LEFT_FOR_THE_REPLY
        if time <= 0:  # it might be sent all the same, with a code that is not stored
            self.refused += 1
            raise VerificationMailFailed from RuntimeError("no time is left")
        try:
            with self._upstream.attempt("smtp_send") as attempt:
                try:
                    async with asyncio.timeout(time):
                        await self._send(message, address, time)
                except aiosmtplib.SMTPException as error:
                    attempt.outcome = "refused" if _refuses(error, address) else ""
                    raise
        except (aiosmtplib.SMTPException, NoTransportSecurity, OSError, TimeoutError, ValueError) as error:
            name, of_the_address = type(error).__name__, _refuses(error, address)
        else:
            self.sent += 1
            return
        self.refused += 1
        # Only of which kind, and raised where that error is not the context: an answer may repeat what it was sent.
        failed = VerificationMailFailed()
        raise (failed.blamed_on(Fault.CALLER) if of_the_address else failed) from RuntimeError(name)

    async def greet(self) -> str:
        """Do what comes before a mail, and send none; return what was done. Raises what tells that it went wrong."""
        client = self._client(_OUTSIDE_A_REQUEST)
        try:
            async with asyncio.timeout(_OUTSIDE_A_REQUEST):
                done = await self._begin(client)
            with suppress(Exception):  # as for a mail
                async with asyncio.timeout(_FAREWELL):
                    await client.quit()
            return done
        finally:
            _cut_off(client)

    def _client(self, time: float) -> aiosmtplib.SMTP:
        settings = self._settings
        return aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            timeout=time,
            start_tls=False,
            use_tls=False,
            validate_certs=settings.password is not None,
        )

    async def _begin(self, client: aiosmtplib.SMTP) -> str:
        settings = self._settings
        await client.connect()
        await client.ehlo()
        done = ["EHLO"]
        if client.supports_extension("starttls"):
            # Without a password the mail would go in clear to any server: an unknown certificate is no worse.
            await client.starttls()
            await client.ehlo()
            done.append("STARTTLS")
        elif settings.password is not None:
            raise NoTransportSecurity
        if settings.password is not None:
            await client.login(settings.username or "", settings.password.get_secret_value())
            done.append("AUTH")
        return ", ".join(done)

    async def _send(self, message: EmailMessage, address: Address, time: float) -> None:
        client = self._client(time)
        try:
            await self._begin(client)
            utf8 = not address.isascii()
            await client.send_message(
                message,
                sender=self._settings.from_address,
                recipients=[address],
                mail_options=["SMTPUTF8"] if utf8 else [],
            )
            with suppress(Exception):  # whether the farewell is heard does not matter
                async with asyncio.timeout(_FAREWELL):
                    await client.quit()
        finally:
            _cut_off(client)


def _cut_off(client: aiosmtplib.SMTP) -> None:
    # Without taking leave of TLS, for which a server that does not answer any more is waited for 30 seconds.
    if client.transport is not None:
        cast("asyncio.WriteTransport", client.transport).abort()
    client.close()


def _refuses(error: Exception, address: Address) -> bool:
    """Whether the server takes no mail for this address, as the caller may have it, and takes mail for others.

    A permanent refusal of the recipient (RFC 5321, section 4.2.1), but not one by policy (RFC 3463, section 3.8), such
    as that this service may not send at all; or a server without SMTPUTF8 (RFC 6531) for an address that needs it.
    """
    if isinstance(error, aiosmtplib.SMTPNotSupported):
        return not address.isascii()
    return isinstance(error, aiosmtplib.SMTPRecipientsRefused) and all(
        one.code in _PERMANENT and not one.message.startswith("5.7.") for one in error.recipients
    )
