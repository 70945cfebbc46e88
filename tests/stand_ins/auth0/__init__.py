# SPDX-License-Identifier: MIT
"""A stand-in for an Auth0 tenant, on a real TLS socket.

    with auth0_tenant() as server:
        tenant = server.tenant
        os.environ.update(tenant.environment())
        token = tenant.access_token("ada")
        tenant.faults.status(503, on="users.get", times=2)

It behaves as Auth0's documentation says on every call that the service and `auth-service tenant` make, and on no
other. `Tenant` says what it can be asked, `Faults` what can go wrong, `Records` what happened, `TenantServer` what
can be done to its socket.
`python -m tests.stand_ins.auth0` runs it as a process of its own, `tenant_process` does so for a test.
"""

from tests.stand_ins.auth0.faults import Fault, Faults
from tests.stand_ins.auth0.process import TenantProcess, tenant_process
from tests.stand_ins.auth0.records import Exchange, Mail, Records
from tests.stand_ins.auth0.server import TenantServer, auth0_tenant
from tests.stand_ins.auth0.tenant import Tenant

__all__ = [
    "Exchange",
    "Fault",
    "Faults",
    "Mail",
    "Records",
    "Tenant",
    "TenantProcess",
    "TenantServer",
    "auth0_tenant",
    "tenant_process",
]
