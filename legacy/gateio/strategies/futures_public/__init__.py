"""Gate.io futures market data."""
