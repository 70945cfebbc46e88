"""Examples that need more than Python, or the internet: `make examples`."""
