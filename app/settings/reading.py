# SPDX-License-Identifier: MIT
"""Reads sections from the environment and gathers everything that is wrong, so that one message names all of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import ValidationError

from app.settings.checks import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.settings.types import Section

_SECTION = TypeVar("_SECTION", bound="Section")


class ConfigurationError(Exception):
    """The environment is not fit to start with; the message names every offending variable and shows no value.

    Of a variable that names a file the path is shown: that is no secret.
    """


class Reader:
    """Reads one section after the other. What is wrong is kept until the end, and hides nothing else."""

    def __init__(self, given: Iterable[Section], env_file: Path | None) -> None:
        """Take the sections that need not be read, and a file of variables beside the environment."""
        self._given: dict[type, Section] = {type(section): section for section in given}
        self._env_file = env_file
        self._problems: list[str] = []
        self._bad: set[str] = set()

    @property
    def bad(self) -> frozenset[str]:
        """The variables read so far that are wrong by themselves."""
        return frozenset(self._bad)

    def read(self, section: type[_SECTION]) -> _SECTION:
        """Return the section; a variable in it that is wrong has its default there."""
        if section in self._given:
            return cast("_SECTION", self._given[section])
        try:
            value = self._read(section, {})
        except ValidationError as error:
            wrong = self._note(error)
            fields = section.model_fields.values()
            defaults = {str(f.validation_alias): f.default for f in fields if f.validation_alias in wrong}
            value = self._read(section, defaults)
        self.complain(value.faults(self.bad))
        return value

    def complain(self, problems: Iterable[str]) -> None:
        """Keep lines of the form `VARIABLE: what is wrong`."""
        self._problems.extend(problems)

    def finish(self) -> None:
        """Raise ConfigurationError with all that was wrong, if anything was."""
        if self._problems:
            raise ConfigurationError("\n  ".join(["bad configuration:", *sorted(set(self._problems))]))

    def _read(self, section: type[_SECTION], values: dict[str, Any]) -> _SECTION:
        try:
            return section(_env_file=self._env_file, **values)
        except OSError as error:
            self._without_file(error.strerror or "no file")
        except UnicodeError:
            self._without_file("it is no UTF-8")
        return section(**values)

    def _without_file(self, reason: str) -> None:
        if self._env_file is not None:
            self.complain([f"{shown(self._env_file.absolute())}cannot be read: {reason}"])
            self._env_file = None

    def _note(self, error: ValidationError) -> set[object]:
        """Keep a line for every offending variable; pydantic's messages say what is wanted, never what was given."""
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        for problem in problems:
            name = str(problem["loc"][0])
            self._bad.add(name)
            self.complain([f"{name}: {problem['msg'].removeprefix('Value error, ')}"])
        return {problem["loc"][0] for problem in problems}
