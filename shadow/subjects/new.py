"""The new stack as a subject: `python -m shadow.subjects.new`."""

from __future__ import annotations

import sys

from shadow.subjects.stack import main

if __name__ == "__main__":
    sys.exit(main("new"))
