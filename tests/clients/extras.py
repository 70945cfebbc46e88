# SPDX-License-Identifier: MIT
"""What stands beside the generated types: the names of the subjects, their bare texts, and the errors."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tests.clients.schema import definitions, errors, subjects, title

if TYPE_CHECKING:
    from tests.clients.schema import Schema

PREFIX = "lfx.auth-service."


def go(document: Schema) -> str:
    """Return constants for the subjects and the errors, and names for requests and replies that are bare texts."""
    names = subjects(document)
    lines = ["package authservice", "", "// The subjects, and the event that is published.", "const ("]
    lines += [f"\tSubject{title(name.removeprefix(PREFIX))} = {json.dumps(name)}" for name in names if _is_ours(name)]
    lines += [f"\tEvent{title(name.removeprefix('lfx.'))} = {json.dumps(name)}" for name in names if not _is_ours(name)]
    lines += [")", "", "// Requests and replies that are bare texts.", "type ("]
    lines += [f"\t{name} = string" for name in texts(document)]
    lines += [")", "", "// The errors of Failure.Error.", "const ("]
    lines += [f"\tErr{_camel(error)} = {json.dumps(error)}" for error in errors(document)]
    return "\n".join([*lines, ")", ""])


def typescript(document: Schema) -> str:
    """Return the union of the errors, and a map from each subject to its request and reply."""
    lines = ["/** Every error string of the contract; impersonation may be refused in Auth0's own words. */"]
    lines += ["export type ErrorString ="]
    lines += [f"    | {json.dumps(error)}" for error in errors(document)]
    lines += ["    | (string & {});", "", "/** What is asked and answered, by subject below `lfx.auth-service.`. */"]
    lines += ["export interface Subjects {"]
    bare = set(texts(document))
    for subject in (name.removeprefix(PREFIX) for name in subjects(document) if _is_ours(name)):
        request, reply = (
            "string" if name in bare else name for name in (f"{title(subject)}Request", f"{title(subject)}Reply")
        )
        lines += [f"    {json.dumps(subject)}: {{ request: {request}; reply: {reply} }};"]
    return "\n".join([*lines, "}", ""])


def texts(document: Schema) -> list[str]:
    """Return the names of requests and replies that are no objects."""
    objects = definitions(document)["definitions"]
    subject_names = [title(name.removeprefix(PREFIX)) for name in subjects(document) if _is_ours(name)]
    both = (f"{name}{kind}" for name in subject_names for kind in ("Request", "Reply"))
    return [name for name in both if name not in objects]


def _is_ours(name: str) -> bool:
    return name.startswith(PREFIX)


def _camel(text: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in re.findall(r"[A-Za-z0-9]+", text))
