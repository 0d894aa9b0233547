"""Gate.io's WebSocket side."""
