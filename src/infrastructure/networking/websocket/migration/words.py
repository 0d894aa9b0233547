"""An error in a line of a log."""

from __future__ import annotations

__all__ = ["in_one_line"]


def in_one_line(error: BaseException) -> str:
    """What an error says for itself; OpenFeature's keep that apart from their code. Its kind where it says nothing."""
    says = getattr(error, "error_message", None) or str(error)
    return " ".join(str(says).split()) or type(error).__name__
