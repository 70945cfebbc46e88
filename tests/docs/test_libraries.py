# SPDX-License-Identifier: MIT
# ruff: noqa: SLF001 - the libraries' inner life is what is shown here
"""The table of what is used of libraries beyond their public interface is complete, and all of it is there."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import re
import sys

import aiohttp
import kr8s.asyncio
from loguru import logger

from tests.docs.tables import TOP

PAGE = (TOP / "docs" / "libraries.md").read_text()
TABLE = "".join(line for line in PAGE.splitlines(keepends=True) if line.startswith("| "))
OURS = ("app", "routers", "providers", "clients")
DOCUMENTED = {"_current_frames", "_exit", "_replace"}
"""Of the standard library, in spite of the underscore: `sys`, `os`, `NamedTuple`."""


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


@functools.cache
def trees() -> dict[str, ast.Module]:
    paths = [path for part in OURS for path in (TOP / part).rglob("*.py")]
    return {path.relative_to(TOP).with_suffix("").as_posix(): ast.parse(path.read_text()) for path in paths}


def imported() -> set[str]:
    """Modules of libraries, and names in them, that begin with an underscore."""
    found = set()
    for tree in trees().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                module = getattr(node, "module", "") or ""
                names = [f"{module}.{alias.name}".strip(".") for alias in node.names]
                found |= {name for name in names if name.split(".")[0] not in {*OURS, "__future__"}}
    return {part for name in found for part in name.split(".") if private(part)}


def reached() -> set[str]:
    """Attributes that begin with an underscore, of anything but the object itself."""
    attributes = [n for tree in trees().values() for n in ast.walk(tree) if isinstance(n, ast.Attribute)]
    foreign = [n for n in attributes if not (isinstance(n.value, ast.Name) and n.value.id in {"self", "cls"})]
    return {n.attr for n in foreign if private(n.attr)} - DOCUMENTED


def inherited() -> set[str]:
    """Names that our classes use or override of a library's class above them."""
    found = set()
    for name, tree in trees().items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.ClassDef):
                continue
            ours = getattr(importlib.import_module(name.removesuffix("/__init__").replace("/", ".")), node.name, None)
            bases = [] if ours is None else [base for base in ours.__mro__ if foreign(base)]
            theirs = {n for base in bases for n in re.findall(r"(?:self\.|def )(_[a-z]\w*)", source(base))}
            used = {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
            used |= {n.name for n in node.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
            found |= {n for n in used if private(n)} & theirs
    return found


@functools.cache
def source(base: type) -> str:
    try:
        return inspect.getsource(base)
    except OSError:  # a class that pydantic made
        return ""


def foreign(base: type) -> bool:
    top = base.__module__.partition(".")[0]
    return top not in OURS and top not in sys.stdlib_module_names and top != "builtins"


def test_the_table_has_what_is_used_and_nothing_else():
    told = {name for code in re.findall(r"`([\w.]+)`", TABLE) for name in code.split(".") if private(name)}
    assert imported() | reached() | inherited() == told


def test_every_row_names_a_test_that_is_there():
    rows = [line.split("|")[-2].strip().strip("`") for line in TABLE.splitlines()[1:]]
    assert len(rows) > 10
    assert [row for row in rows if not (TOP / row).is_file()] == []


def test_every_row_names_the_files_in_which_its_names_stand():
    for line in TABLE.splitlines()[1:]:
        names, files = (re.findall(r"`([\w./]+)`", cell) for cell in line.split("|")[2:4])
        texts = [(TOP / file).read_text() for file in files]
        for name in names:
            used = [name.rpartition(".")[2] in text for text in texts]
            assert any(used), line
        assert all(any(name.rpartition(".")[2] in text for name in names) for text in texts), line


async def test_aiohttp_can_be_told_not_to_repeat():
    async with aiohttp.ClientSession() as session:
        assert session._retry_connection is True


def test_kr8s_makes_its_session_where_ours_does():
    assert inspect.iscoroutinefunction(kr8s.asyncio.Api._create_session)
    assert "self._session = httpx.AsyncClient(" in inspect.getsource(kr8s.asyncio.Api._create_session)


def test_loguru_knows_what_is_read():
    assert isinstance(logger._core.min_level, int | float)
