# SPDX-License-Identifier: MIT
"""Users in NATS Key-Value: records, and the keys by which they are found."""
