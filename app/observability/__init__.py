# SPDX-License-Identifier: MIT
"""Observability for operators: logs, metrics, traces, and their export."""
