# SPDX-License-Identifier: MIT
"""One tenant for the session, as new for each test."""

from __future__ import annotations

from tests.providers.auth0.conftest import server, tenant_server

__all__ = ["server", "tenant_server"]
