# SPDX-License-Identifier: MIT
"""A development check: what the reference parser of AsyncAPI, an npm package, says of the document."""
