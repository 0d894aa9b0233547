"""Gate.io futures account data."""
