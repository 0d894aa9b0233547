"""MEXC strategies, one folder per connection."""
