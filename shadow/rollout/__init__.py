"""The rollout: who changes the flag, when it may be changed, and the record of every change."""
