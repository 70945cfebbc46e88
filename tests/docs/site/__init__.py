# SPDX-License-Identifier: MIT
"""What is particular to the documentation site."""
