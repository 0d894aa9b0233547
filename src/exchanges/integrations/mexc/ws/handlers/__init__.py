"""MEXC's message handlers."""
