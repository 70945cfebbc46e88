# SPDX-License-Identifier: MIT
"""Authelia in Kubernetes: its users file, kept in step with storage."""
