"""MEXC's WebSocket side."""
