# SPDX-License-Identifier: MIT
"""`make mutants`: changes the code in one place after the other and counts the changes that no test notices.

docs/decisions/0122-a-driver-for-mutants.md has the reasons, 0073 what was found.
"""
