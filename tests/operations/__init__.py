# SPDX-License-Identifier: MIT
"""What others see of the service, judged by their own tools: `make observe` builds `nats` and `promtool`."""
