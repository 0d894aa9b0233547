"""What differs by exchange or scope: connection, subscription, authentication, public data."""
