"""Variables of the environment that the harness sets for its own processes."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["OWN", "keep_to_ourselves"]

OWN: Final[set[str]] = set()
"""Names that no subject gets to see: what its caller has not set is not set for it."""


def keep_to_ourselves(name: str, value: str) -> None:
    """Set a variable for this process and the harness's others, unless the caller has."""
    if name not in os.environ:
        os.environ[name] = value
        OWN.add(name)
