# SPDX-License-Identifier: MIT
"""Proxy variables, which pipelines set for every process of a pod, and which have no effect here.

What the service calls lies in the cluster or is the tenant. By way of a proxy callers' tokens would pass through one
place more, and the libraries differ in which variables they read and in which case of letters.
"""

from __future__ import annotations

import os
from typing import Final

_PROXIES: Final = frozenset(("http_proxy", "https_proxy", "all_proxy", "no_proxy", "grpc_proxy", "no_grpc_proxy"))


def ignore_proxies() -> None:
    """Take the proxy variables out of the environment, in any case of letters, before any library reads them."""
    for name in [name for name in os.environ if name.lower() in _PROXIES]:
        del os.environ[name]
