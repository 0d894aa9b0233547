"""From a difference in a run to the smallest frames that still show it, as data with a test that fails."""
