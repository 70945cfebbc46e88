# SPDX-License-Identifier: MIT
"""Lets `python -m app.cli` do what `auth-service` does."""

from app.cli import main

main()
