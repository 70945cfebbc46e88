# SPDX-License-Identifier: MIT
"""The AsyncAPI document and the page that shows it."""
