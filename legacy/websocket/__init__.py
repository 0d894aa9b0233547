"""The strategy-based WebSocket stack as its callers know it; the baseline, kept as it is."""
