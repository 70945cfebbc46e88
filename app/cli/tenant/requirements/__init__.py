# SPDX-License-Identifier: MIT
"""The service's requirements of a tenant. Each module looks at what is there and gives the steps."""

from app.cli.tenant.requirements import codes, database, impersonation, lfx_one, profile, service

ALL = (database, codes, service, profile, lfx_one, impersonation)
"""In the order of the table."""
