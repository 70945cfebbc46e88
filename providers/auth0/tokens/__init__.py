# SPDX-License-Identifier: MIT
"""Tokens: those of callers are verified, the service's own is fetched."""
