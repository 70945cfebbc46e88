# SPDX-License-Identifier: MIT
"""What operators see: logs, metrics, traces, and how they are exported."""
