# SPDX-License-Identifier: MIT
"""The parts of pages that are made from the code: `python -m tests.docs.tables` writes them."""

from __future__ import annotations

import typing

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from app.cli.compare.known import KNOWN
from app.settings import SECTIONS, parse_duration
from app.settings.reads import parse_size
from routers import subjects
from tests.docs.errors import errors
from tests.docs.reference import reference
from tests.docs.text import TOP, table


def settings():
    """Every setting, for docs/configuration.md."""
    return table(("variable", "default", "meaning"), rows())


def subject_list():
    """Every subject, for README.md."""
    return table(
        ("subject", "area", "does"), ((f"`{subject.name}`", subject.area, subject.summary) for subject in subjects())
    )


def replies():
    """Every known difference in replies, for docs/operations/upgrade.md."""
    rows = ((one.what, ", ".join(f"`{read}`" for read in one.reads), one.before, one.now) for one in KNOWN)
    return table(("what", "subjects", "before", "now"), rows)


TABLES = {
    TOP / "docs" / "configuration.md": ("settings", settings),
    TOP / "docs" / "callers" / "errors.md": ("errors", errors),
    TOP / "docs" / "callers" / "subjects.md": ("subjects", reference),
    TOP / "docs" / "operations" / "upgrade.md": ("replies", replies),
    TOP / "README.md": ("subjects", subject_list),
}


def rows():
    """Variable, default and meaning of each setting, as the page shows them."""
    for section in SECTIONS:
        yield "", "", f"**{section.__doc__.strip().partition(chr(10))[0].removesuffix('.')}**"
        for field in section.model_fields.values():
            if not field.exclude:
                yield f"`{field.validation_alias}`", shown(field), field.description + secrecy(field)


def parsed_by(function, field):
    return any(getattr(check, "func", None) is function for check in field.metadata)


def shown(field):
    value = field.default
    if value is PydanticUndefined:
        return "(required)"
    if value in (None, (), "", SecretStr("")):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`{','.join(value)}`"
    if isinstance(value, float):
        hours = f"{value / 3600:g}h" if value and not value % 3600 else ""
        return f"`{hours or f'{value:g}s'}`" if parsed_by(parse_duration, field) else f"`{value:g}`"
    return f"`{value // 1024**2}MiB`" if parsed_by(parse_size, field) else f"`{value}`"


def secrecy(field):
    return " Secret." if SecretStr in walk(field.annotation) else ""


def walk(annotation):
    """Every type that an annotation is made of."""
    yield annotation
    for inner in typing.get_args(annotation):
        yield from walk(inner)


def with_table(page):
    """The text of a page as it should be."""
    name, make = TABLES[page]
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n\n{make()}\n\n{end}{after}"


def main():
    for page in TABLES:
        page.write_text(with_table(page), encoding="utf-8")


if __name__ == "__main__":
    main()
