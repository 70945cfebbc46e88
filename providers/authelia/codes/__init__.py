# SPDX-License-Identifier: MIT
"""One-time codes: sent, checked, and the identity tokens that they yield."""
