# SPDX-License-Identifier: MIT
"""Bodies of requests: reads a body, and finds the parts that must not be logged, both in bounded time."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from app.domain.errors import Malformed
from app.domain.json_bounds import NESTED, holds_more
from app.domain.redaction import MAX_SECRET
from app.domain.tokens import bare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_NESTED: Final = 50_000
"""Arrays and objects in a body: each costs a hundred times what other bytes cost."""

R = TypeVar("R", bound=BaseModel)


def text(data: bytes) -> str:
    """Return a text body, trimmed. Ill-formed UTF-8 becomes surrogates, which are in no address and no username."""
    return data.decode("utf-8", "surrogateescape").strip()


def read(request: type[R], data: bytes) -> R:
    """Return a JSON body as the model of its request. Raises ValueError when it is not such an object."""
    if holds_more(MAX_NESTED, data, NESTED):  # a limit that RFC 8259, section 9, allows
        raise ValueError("too many arrays and objects")
    return request.__pydantic_validator__.validate_json(data)  # type: ignore[no-any-return]


def decoder(request: type[BaseModel] | None, malformed: str | None) -> Callable[[bytes], Any]:
    """Return what makes a body what a handler takes, and raises Malformed with that string where it cannot."""
    return text if request is None else partial(_read, request, malformed or "")


def _read(request: type[BaseModel], malformed: str, data: bytes) -> BaseModel:
    try:
        return read(request, data)
    except ValueError:
        raise Malformed(malformed) from None


def strings_sent(request: type[BaseModel] | None, data: bytes) -> list[str]:
    """Return the strings of a request's known fields, in the spellings in which they may turn up in a text.

    `request` is the model of the body, None for a text body. Of longer strings only as much as masking looks for.
    """
    if request is None:
        sent = {text(data)}
    else:
        try:
            sent = set(_strings(read(request, data)))
        except ValueError:  # then nobody has looked into it
            return []
    beginnings = {spelling[: MAX_SECRET + 1] for string in sent for spelling in (string, string.strip(), bare(string))}
    return list({spelling for beginning in beginnings for spelling in _spellings(beginning)})


def _strings(model: BaseModel) -> Iterator[str]:
    for _, value in model:
        if isinstance(value, str):
            yield value
        elif isinstance(value, BaseModel):
            yield from _strings(value)


def _spellings(string: str) -> tuple[str, ...]:
    return string, string.lower(), repr(string)[1:-1], json.dumps(string)[1:-1], quote(string, errors="replace")
