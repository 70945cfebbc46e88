# SPDX-License-Identifier: MIT
"""The tenant's events: one replica receives changes by others and tells all replicas."""
