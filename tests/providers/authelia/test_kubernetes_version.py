# SPDX-License-Identifier: MIT
"""What the API server says of its version, and whether it says anything, matters to nothing."""

from __future__ import annotations

import inspect

import pytest
from kr8s._api import Api

from tests.stand_ins.kubernetes import CONFIGMAP, DAEMONSET, SECRET
from tests.support.authelia import PEOPLE, users_file
from tests.support.people import grace
from tests.support.waiting import until

OTHERS = users_file(tuple(person for person in PEOPLE if person is not grace))
VERSIONS = [
    401,
    403,
    404,
    500,
    503,
    "hang",
    "garbage",
    {},
    [],
    None,
    {"gitVersion": None},
    {"gitVersion": "v1.20.0"},
    {"gitVersion": "v1.99.0"},
    {"gitVersion": "v9.0.0-eks-1"},
    {"gitVersion": "the newest"},
]


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("version", VERSIONS, ids=str)
async def test_synchronisation_goes_on_whatever_the_version_is(stage, version):
    stage.kubernetes.server_version = version
    stage.kubernetes.file = OTHERS
    async with stage.replica() as provider:
        await until(lambda: not provider.readiness()["kubernetes?"])
        assert provider.measurements()["auth_service_sync_failures_total"] == 0
    assert "grace.hopper" in stage.kubernetes.users
    assert set(stage.kubernetes.calls) == {
        ("get", CONFIGMAP),
        ("update", CONFIGMAP),
        ("get", SECRET),
        ("update", SECRET),
        ("get", DAEMONSET),
        ("patch", DAEMONSET),
    }


def test_the_client_itself_still_asks_for_the_version():
    """Where this fails, `await api` would do; what is used instead is public: `Api.auth`, which can be awaited."""
    assert "_check_version" in inspect.getsource(Api.__await__)
    assert "_check_version" not in inspect.getsource(Api.call_api)


async def test_what_is_private_of_the_client_is_there(stage):
    api = stage.api("lfx")
    assert api._session is None  # noqa: SLF001 - what closes it
    await api.auth
    async with api.call_api("GET", version="v1", namespace="lfx", url=CONFIGMAP) as response:
        assert response.status_code == 200
    assert callable(api._session.aclose)  # noqa: SLF001 - as above
    await api._session.aclose()  # noqa: SLF001 - as above
