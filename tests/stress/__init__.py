# SPDX-License-Identifier: MIT
"""`make stress`: the tests again and again, beside others who want the processor."""
