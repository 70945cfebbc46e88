# SPDX-License-Identifier: MIT
"""Processes of tests that begin with everything imported: that takes longer than most of what they do.

`multiprocessing` has one server a process that forks them, with one list of modules, so all of them stand here.
"""

from __future__ import annotations

import multiprocessing

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["tests.support.parts", "app.cli", "app.cli.tenant.run"])
