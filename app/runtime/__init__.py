"""How the service lives: broker, work in hand, replies, logs, metrics, the HTTP side. Knows no subject and no provider."""
