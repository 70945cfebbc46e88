# SPDX-License-Identifier: MIT
"""The tenant's own events: what others change is heard of, by one replica, and told to all."""
