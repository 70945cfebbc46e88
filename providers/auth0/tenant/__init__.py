# SPDX-License-Identifier: MIT
"""Calls to the tenant: one client, its attempts, its limits, its answers."""
