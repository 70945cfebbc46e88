# SPDX-License-Identifier: MIT
"""What the service knows: the model, the rules and the ports. It does not know the bus or the upstreams."""
