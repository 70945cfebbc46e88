# SPDX-License-Identifier: MIT
"""Examples that need more than Python, or the internet: `make examples`."""
