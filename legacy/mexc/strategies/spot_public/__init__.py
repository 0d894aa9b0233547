"""MEXC spot market data."""
