# SPDX-License-Identifier: MIT
"""Chromium over the documentation page."""
