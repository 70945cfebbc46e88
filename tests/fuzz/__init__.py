# SPDX-License-Identifier: MIT
"""Reading what comes from outside, driven by a fuzzer (`make fuzz`), and by its seeds in every run of the tests."""
