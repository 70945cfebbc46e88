# SPDX-License-Identifier: MIT
"""nats-py's parser of what a server sends, without its blind spot."""

from __future__ import annotations

import re
from typing import Final

from nats.errors import ProtocolError
from nats.protocol import parser as nats_parser
from nats.protocol.parser import AWAITING_CONTROL_LINE, AWAITING_MSG_PAYLOAD, Parser

_LINE_END: Final = b"\r\n"
_MESSAGES: Final = {b"MSG": 0, b"HMSG": 1}
"""How many numbers stand between the reply subject and the last number."""

_WITHOUT_REPLY: Final = 4
_MAX_LINE: Final = 64 * 1024
"""Bytes of a line. A greeting has 32 KiB at most, and the longest error quotes a subject."""
_MAX_MESSAGE: Final = 64 * 1024 * 1024
"""Bytes of a message: more cannot be configured in nats-server."""

# As it comes, the line's end may stand between the two sizes: headers that begin with a number and a line's end, which
# any publisher may send, are then taken for the second size, and the connection is broken off.
nats_parser.HMSG_RE = re.compile(rb"\AHMSG\s+([^\s]+)\s+([^\s]+)\s+(([^\s]+)[^\S\r\n]+)?(\d+)[^\S\r\n]+(\d+)\r\n")


class TolerantParser(Parser):
    """Takes messages with any reply subject.

    A server lets through reply subjects with a form feed, a vertical tab or a carriage return in them (it splits at
    spaces and tabs only). nats-py takes such a line for none: it breaks the connection off, or waits for the line's
    end for ever when enough has come after it. Here such a message has no reply subject.
    """

    @property
    def missing(self) -> int:
        """Bytes of the message that has begun which have not come yet; 0 between messages."""
        if self.state != AWAITING_MSG_PAYLOAD:
            return 0
        return max(0, self.needed + len(_LINE_END) - len(self.buf))

    async def parse(self, data: bytes = b"") -> None:
        """Take what was read from the connection. Raises ProtocolError at what no server sends."""
        if self.nc.is_reconnecting:  # that connection was given up meanwhile
            return
        while True:
            try:
                await super().parse(data)
            except ProtocolError:
                if not self._take_odd_message():
                    raise
            else:
                if self.state != AWAITING_CONTROL_LINE or _LINE_END not in self.buf:
                    self._bound()
                    return
                if not self._take_odd_message():
                    raise ProtocolError
            data = b""

    def _bound(self) -> None:
        """Raise ProtocolError at what has no end. It would be kept, and a line be looked at from its beginning."""
        begun, most = (self.needed, _MAX_MESSAGE) if self.missing else (len(self.buf), _MAX_LINE)
        if begun > most:
            raise ProtocolError

    def _take_odd_message(self) -> bool:
        """Take the line at the beginning of the buffer if it announces a message; return whether it does."""
        end = self.buf.find(_LINE_END)
        line = bytes(self.buf[: max(0, end)]).split(b" ")
        if self.state != AWAITING_CONTROL_LINE or line[0] not in _MESSAGES:
            return False
        between = _MESSAGES[line[0]]
        try:
            self.header_needed = int(line[-2]) if between else 0
            self.needed = int(line[-1])
            self.msg_arg = {"subject": line[1], "sid": int(line[2]), "reply": b""}
        except (IndexError, ValueError):
            return False
        if len(line) < _WITHOUT_REPLY + between:
            return False
        del self.buf[: end + len(_LINE_END)]
        self.state = AWAITING_MSG_PAYLOAD
        return True
