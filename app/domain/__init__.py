# SPDX-License-Identifier: MIT
"""What the service knows: the model, the rules and the ports. Knows nothing of wires or upstreams."""
