"""`python -m shadow.subjects.probe`: times the layers and messages of our own stacks, after a session's legs.

Reads one JSON line `{"roles":{role:architecture}}` on stdin, writes one line
`{"k":"figures","figures":{role:{name:[values]}}}` on stdout; values are integers, times in ns.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys

import msgspec

from shadow.subjects.probe.layers import measure_layers
from shadow.subjects.probe.logins import measure_logins
from shadow.subjects.probe.messages import measure_blocks, measure_processing, measure_rates
from shadow.subjects.probe.samples import Roles, Samples

__all__ = ["main", "measure"]


class Ask(msgspec.Struct):
    """What is to be measured: the architecture that plays each role."""

    roles: Roles


async def measure(roles: Roles) -> Samples:
    """Every figure of every role."""
    samples = Samples()
    await measure_layers(roles, samples)
    await measure_processing(roles, samples)
    await measure_rates(roles, samples)
    await measure_logins(roles, samples)
    await measure_blocks(roles, samples)
    return samples


def main() -> int:
    """Measure once."""
    ask = msgspec.json.decode(sys.stdin.buffer.readline(), type=Ask)
    logging.disable(logging.CRITICAL)
    gc.collect()
    gc.freeze()
    samples = asyncio.run(measure(ask.roles))
    sys.stdout.buffer.write(msgspec.json.encode({"k": "figures", "figures": samples.by_role}) + b"\n")
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
