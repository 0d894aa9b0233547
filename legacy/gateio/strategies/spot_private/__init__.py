"""Gate.io spot account data."""
