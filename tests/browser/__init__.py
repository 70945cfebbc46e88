"""Chromium over the documentation page."""
