# SPDX-License-Identifier: MIT
"""The bus: subjects, requests, their turns and replies, over NATS."""
