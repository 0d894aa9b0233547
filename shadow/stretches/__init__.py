"""Long sessions with bounded disk: what is judged is reduced while the session goes on, and its raw data deleted."""
