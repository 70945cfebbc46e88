# SPDX-License-Identifier: MIT
"""How the service lives: broker, work, replies, logs, metrics, the HTTP side. Knows no subject and no provider."""
