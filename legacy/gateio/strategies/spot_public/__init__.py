"""Gate.io spot market data."""
