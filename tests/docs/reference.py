# SPDX-License-Identifier: MIT
"""The reference of the subjects, from their declarations."""

from __future__ import annotations

from app.documentation.page.view import page
from app.main import documents
from tests.docs.text import table


def reference():
    """Every subject and event, for docs/callers/subjects.md."""
    shown = page(documents().document)
    parts = [part for area in shown.areas for part in area_of(area)]
    parts.append("## Types")
    parts += [f"### {one.name}\n\n{one.description}\n\n{field_table(one.fields)}" for one in shown.types]
    return "\n\n".join(parts)


def area_of(area):
    """The parts of an area: its heading, then its subjects."""
    yield f"## {area.name}"
    yield area.description
    for entry in area.entries:
        yield f"### `{entry.address}`"
        yield entry.summary
        if entry.description:
            yield entry.description
        yield from body("Request" if entry.reply else "Event", entry.request)
        if entry.reply:
            yield from body("Reply", entry.reply)
            yield (
                "**Errors**, in the order of the checks: " + ", ".join(f"`{one.error}`" for one in entry.failures) + "."
            )


def body(title, one):
    """The parts of what goes over the wire in one direction."""
    yield f"**{title}**, {'text' if one.is_text else 'JSON'}: {one.description}"
    if one.fields:
        yield field_table(one.fields)
    yield f"```{'text' if one.is_text else 'json'}\n{one.shown}\n```"


def field_table(fields):
    """A row for each field."""
    return table(("field", "type", "required", "is"), map(row, fields))


def row(field):
    """The cells of a field; `|` would end a cell."""
    kind = f"[{field.type}](#{field.link.lower()})" if field.link else field.type
    required = f"yes, or `{field.missing}`" if field.missing else "yes" if field.required else ""
    return f"`{field.path}`", kind, required, field.description.replace("\n", " ").replace("|", "\\|")
