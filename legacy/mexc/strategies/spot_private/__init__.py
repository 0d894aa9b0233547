"""MEXC spot account data."""
