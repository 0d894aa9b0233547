"""MEXC on the legacy stack."""
