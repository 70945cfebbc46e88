# SPDX-License-Identifier: MIT
"""The connection to NATS: client, parser, security."""
