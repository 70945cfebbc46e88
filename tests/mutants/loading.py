# SPDX-License-Identifier: MIT
"""Modules with all their mutants inside: each function asks at its call which of its forms is meant.

mutmut writes these forms and the function that chooses. The modules are compiled from memory, so no file is written.
"""

from __future__ import annotations

import difflib
import hashlib
import pickle
import sys
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mutmut.mutation.file_mutation import mutate_file_contents

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType

    from mutmut.mutation.file_mutation import MutatedFile

_ORIGINAL: Final = "__mutmut_orig"
_KEPT: Final = Path("build/mutants")
_RULES: Final = ("pyproject.toml", "requirements-mutants.lock")
"""What else than the file says how it is changed."""


@dataclass(frozen=True)
class Mutant:
    """One changed form of one function."""

    name: str
    """As mutmut calls it: the module, then the function with a number."""
    module: str
    function: str
    """The name by which mutmut tells that a test has reached the function."""
    diff: str

    @property
    def key(self) -> str:
        """The function and the change: what stays when something else changes."""
        return f"{self.function}\n{self.diff}"


class Changed:
    """A module and its mutants."""

    def __init__(self, file: str) -> None:
        """Take a path from the root of the repository."""
        self.file = file
        self.module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        self._mutated = _mutated(file)
        self.code = self._mutated.code
        self._lines = self.code.splitlines()

    def mutants(self) -> list[Mutant]:
        """Return the mutants, in the order of the source."""
        return [self._mutant(name) for name in self._mutated.mutant_names]

    def _mutant(self, name: str) -> Mutant:
        function = name.rpartition("__mutmut_")[0]
        lines = difflib.unified_diff(self._form(function + _ORIGINAL), self._form(name), lineterm="", n=0)
        diff = "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))
        return Mutant(f"{self.module}.{name}", self.module, f"{self.module}.{function}", diff)

    def _form(self, name: str) -> list[str]:
        span = self._mutated.line_span_by_function_name[name]
        return [line for line in self._lines[span.start - 1 : span.end] if name not in line]


def _mutated(file: str) -> MutatedFile:
    """Return what mutmut makes of a file; that takes a second, so it is kept until the file or mutmut changes."""
    sources = b"".join(Path(one).read_bytes() for one in (file, *_RULES))
    kept = _KEPT / hashlib.sha256(sources).hexdigest()
    if kept.exists():
        return pickle.loads(kept.read_bytes())
    made = mutate_file_contents(file, Path(file).read_text(encoding="utf-8"))
    _KEPT.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(pickle.dumps(made))
    return made


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, code: str) -> None:
        super().__init__(name, path)
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._code, self.get_filename(fullname), "exec", dont_inherit=True)


class Finder(MetaPathFinder):
    """Finds the changed modules in place of the files."""

    def __init__(self, changed: list[Changed]) -> None:
        """Take what is changed; must be in place before any of it is imported."""
        self._code = {one.module: one.code for one in changed}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where the changed module is, or None for all others."""
        if fullname not in self._code:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(fullname, spec.origin, self._code[fullname])
        return spec

    def install(self) -> None:
        """Let Python ask here first."""
        sys.meta_path.insert(0, self)
