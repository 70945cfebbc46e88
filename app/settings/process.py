# SPDX-License-Identifier: MIT
"""What concerns every process, where it can be wrong. The proxy variables have no effect, so they cannot."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from app.settings.checks import check_ca
from app.settings.types import File, Section


class ProcessSettings(Section):
    """What concerns every process."""

    trusted: Annotated[File, AfterValidator(check_ca)] | None = Field(
        None,
        validation_alias="SSL_CERT_FILE",
        description="File with the certificates that are trusted, in the place of the system's.",
    )
