# SPDX-License-Identifier: MIT
"""Remembered answers: in memory, and over several replicas on a tenant."""
