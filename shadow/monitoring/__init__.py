"""The rollout as Prometheus metrics, read from its files; no stack, consumer or judge is asked."""
