# SPDX-License-Identifier: MIT
"""The documentation site, as it was built: `make docs`."""
