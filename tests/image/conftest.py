# SPDX-License-Identifier: MIT
"""The image as an engine builds it, or, where none can, what its steps make."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.image.dockerfile import follow
from tests.image.engine import Engine, Image, NoEngine

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def image() -> Iterator[Image | None]:
    """The image; None where none can be built, and then it is said why."""
    # Not in pytest's own folder, which stays: this takes gigabytes.
    with tempfile.TemporaryDirectory(prefix="image-") as folder:
        try:
            engine = Engine(Path(folder))
            configuration = engine.build()
        except NoEngine as reason:
            print(f"not built by an engine, its steps are followed by hand: {reason}")  # noqa: T201 - `make image` shows it
            yield None
            return
        with engine.mounted() as root:
            yield Image(root, configuration, engine.base)


@pytest.fixture(scope="session")
def copied(image: Image | None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the final stage copies."""
    return follow(tmp_path_factory.mktemp("image")) if image is None else image.root / "opt/auth-service"
