# SPDX-License-Identifier: MIT
"""`auth-service compare`: asks two services the same reads and says where the answers differ."""
