# SPDX-License-Identifier: MIT
"""The auth service: who a user is, and changes to what belongs to a user, over NATS request/reply."""
