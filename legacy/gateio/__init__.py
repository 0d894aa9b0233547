"""Gate.io on the legacy stack."""
