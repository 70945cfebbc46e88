# SPDX-License-Identifier: MIT
"""The mail that brings a one-time code: plain text."""

from __future__ import annotations

from email.headerregistry import Address as Mailbox
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from app.domain.users import Address

_SUBJECT: Final = "Your verification code"
_TEXT: Final = """\
Hello,

to confirm that this e-mail address is yours, enter this code:

    {code}

It works once, and for five minutes.

If you did not ask for it, there is nothing you need to do: without the code
nobody can add your address to an account. Do not pass the code on to anybody.
"""


def code_message(address: Address, code: str, sender: str, sender_name: str, now: datetime) -> EmailMessage:
    """Return the mail. Nothing in it comes from the caller but the address, which has passed `parse_address`.

    Raises ValueError for an address that would stand there as something else.
    """
    message = EmailMessage(policy=SMTP.clone(utf8=not address.isascii()))
    local, _, domain = sender.rpartition("@")
    message["From"] = Mailbox(sender_name, local, domain)
    recipient, _, host = address.rpartition("@")
    message["To"] = Mailbox("", recipient, host)
    # The library decodes what looks like an encoded word (RFC 2047), which in an address is none: it may hold commas
    # and line breaks. So what will be sent is compared.
    if b"".join(message.policy.fold_binary("To", message["To"]).split()) != b"To:" + address.encode():
        raise ValueError("an address that cannot stand in a header")
    message["Subject"] = _SUBJECT
    message["Date"] = format_datetime(now)
    message["Message-ID"] = make_msgid(domain=domain)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834, section 5: answers by machines are not wanted
    message.set_content(_TEXT.format(code=code))
    return message
