"""Our new stack with an option in its start line: `python with_option.py NAME=VALUE`.

It is one process. One around it would be weighed with it, and memory is judged.
"""

from __future__ import annotations

import sys

from msgspec.structs import replace

from shadow.subjects import stack

if __name__ == "__main__":
    name, _, value = sys.argv[1].partition("=")
    read_start = stack.read_start

    def read_and_add(line: bytes) -> stack.StartLine:
        start = read_start(line)
        return replace(start, options={**start.options, name: value})

    stack.read_start = read_and_add
    sys.exit(stack.main("new"))
