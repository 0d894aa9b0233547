"""Gate.io's message handlers."""
