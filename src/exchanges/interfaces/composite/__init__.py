"""What an application holds: one object per exchange and market, public or private."""
