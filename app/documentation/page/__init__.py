# SPDX-License-Identifier: MIT
"""The page `/docs`: the document, rendered for people."""
