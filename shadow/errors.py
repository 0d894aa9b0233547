"""The harness's own errors; each carries the exit code that ends the command.

ShadowError            1   the harness itself failed
├── UsageError         2   a person's mistake: one line with the way out
└── RunError          12   evidence unusable: tampered, missing or unreadable
"""

from __future__ import annotations

from typing import ClassVar

__all__ = ["RunError", "ShadowError", "UsageError"]


class ShadowError(Exception):
    """The harness itself failed."""

    exit_code: ClassVar[int] = 1


class UsageError(ShadowError):
    """A person's mistake; the text is one line that says what to do."""

    exit_code = 2


class RunError(ShadowError):
    """A run directory that cannot be trusted or read; the text names the file."""

    exit_code = 12
