# SPDX-License-Identifier: MIT
"""Replies to callers: the envelope, and its encoding."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class Reply(BaseModel):
    """The envelope of a success. Keys that do not apply are absent."""

    model_config = ConfigDict(hide_input_in_errors=True)

    success: Literal[True] = Field(default=True, description="Always true: the request was fulfilled.")


class Done(Reply):
    """A success that only confirms."""

    message: str = Field(description="What was done, for people to read.")

    def __init__(self, message: str) -> None:
        """Take the line that confirms."""
        super().__init__(message=message)


class Data(Reply, Generic[T]):
    """A success that carries something."""

    data: T = Field(description="What was asked for.")


class Failure(BaseModel):
    """The envelope of a failure."""

    success: Literal[False] = Field(default=False, description="Always false: the request was not fulfilled.")
    error: str = Field(description="One short line that says why; see the list of errors of the subject.")


def encode(result: str | BaseModel) -> bytes:
    """Return a handler's result as the body of a reply: bare text, or one JSON object without nulls."""
    if isinstance(result, str):
        return result.encode("utf-8")
    return result.__pydantic_serializer__.to_json(result, exclude_none=True)


@lru_cache(maxsize=256)
def encode_failure(error: str) -> bytes:
    """Return the envelope of a failure as the body of a reply."""
    text = json.dumps({"success": False, "error": error}, ensure_ascii=False, separators=(",", ":"))
    # An upstream's words, which some errors repeat, can be no UTF-8.
    return text.encode("utf-8", "replace")
