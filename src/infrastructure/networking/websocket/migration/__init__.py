"""Which stack serves: the flag's stage, the kill file, and the table of builders."""
