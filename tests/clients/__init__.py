# SPDX-License-Identifier: MIT
"""Types for callers in other languages, generated from `asyncapi.yaml`: how they are made, and that they compile."""
