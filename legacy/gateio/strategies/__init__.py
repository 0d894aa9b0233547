"""Gate.io strategies, one folder per connection."""
