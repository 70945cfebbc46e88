# SPDX-License-Identifier: MIT
"""Helpers of the tests: cases, worlds and transports of the contract."""
