"""What a soak came to: losses by connection, rate, CPU and memory, and whether each is as it should be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

__all__ = ["MemorySample", "Soaked", "as_json", "complaints", "memory_growth", "summary"]

# Growth over the fitted stretch that still counts as flat: a share of the level, and what an allocator gives or takes.
FLAT_SHARE = 0.01
FLAT_BYTES = 1 << 20
# The first part of a run warms caches and pools up.
SKIPPED_SHARE = 0.25
LEAST_SAMPLES = 8
REACHED_SHARE = 0.98


class MemorySample(msgspec.Struct, frozen=True):
    """Unique memory of a subject at a moment; t in s since the paced phase began."""

    t_s: float
    uss: int


class Soaked(msgspec.Struct, kw_only=True):
    """One subject's soak: events sent and received by connection, CPU of the subject over the paced phase."""

    subject: str
    rate: int
    seconds: float = 0.0
    frames: int = 0
    sent: dict[str, int] = {}
    received: dict[str, int] = {}
    errors: int = 0
    cpu_s: float = 0.0
    memory: list[MemorySample] = []
    ended: str | None = None

    @property
    def frames_per_s(self) -> float:
        """Frames written per second of the paced phase."""
        return self.frames / self.seconds if self.seconds else 0.0

    @property
    def lost(self) -> int:
        """Events written that never came."""
        return sum(max(0, count - self.received.get(name, 0)) for name, count in self.sent.items())

    @property
    def extra(self) -> int:
        """Events that came and were never written."""
        return sum(max(0, count - self.sent.get(name, 0)) for name, count in self.received.items())

    @property
    def cpu_us_per_frame(self) -> float:
        """Microseconds of CPU per frame."""
        return 1e6 * self.cpu_s / self.frames if self.frames else 0.0


def memory_growth(samples: Sequence[MemorySample]) -> tuple[float, float] | None:
    """Growth in bytes over the stretch behind the warm-up, and the level there; None with too few samples.

    The slope is Theil and Sen's (median of the slopes of all pairs), which a single jump does not move.
    """
    if len(samples) < LEAST_SAMPLES:
        return None
    t = np.array([sample.t_s for sample in samples])
    uss = np.array([sample.uss for sample in samples], dtype=float)
    kept = t >= t[-1] * SKIPPED_SHARE
    t, uss = t[kept], uss[kept]
    later, earlier = np.triu_indices(len(t), 1)[::-1]
    gaps = t[later] - t[earlier]
    slope = float(np.median((uss[later] - uss[earlier])[gaps > 0] / gaps[gaps > 0]))
    return slope * float(t[-1] - t[0]), float(np.median(uss))


def complaints(soaked: Soaked) -> list[str]:
    """What is not as it should be, in words; none for a subject that held out."""
    found = []
    if soaked.ended is not None:
        found.append(soaked.ended)
    if not sum(soaked.received.values()):
        found.append("delivered nothing at all")
    elif soaked.lost:
        found.append(f"{soaked.lost} of {sum(soaked.sent.values())} events lost")
    if soaked.extra:
        found.append(f"{soaked.extra} events too many")
    if soaked.errors:
        found.append(f"{soaked.errors} errors")
    if soaked.frames and soaked.frames_per_s < REACHED_SHARE * soaked.rate:
        found.append(f"only {soaked.frames_per_s:.0f} of {soaked.rate} frames/s could be written on this machine")
    growth = memory_growth(soaked.memory)
    if growth is None and soaked.frames:
        found.append("too short to tell whether memory grows")
    elif growth is not None and growth[0] > max(FLAT_SHARE * growth[1], FLAT_BYTES):
        found.append(f"memory grew by {growth[0] / 1e6:.1f} MB on {growth[1] / 1e6:.1f} MB")
    return found


def summary(soaks: Sequence[Soaked]) -> list[str]:
    """Lines for people: each soak, and CPU against the last one where there are several."""
    lines = []
    for soaked in soaks:
        growth = memory_growth(soaked.memory)
        memory = "unknown" if growth is None else f"{growth[0] / 1e6:+.2f} MB on {growth[1] / 1e6:.1f} MB"
        found = complaints(soaked)
        lines.append(
            f"{soaked.subject}: {'FAILED, ' + '; '.join(found) if found else 'held'} ({soaked.frames} frames at "
            f"{soaked.frames_per_s:.0f}/s, {sum(soaked.received.values())} of {sum(soaked.sent.values())} events, "
            f"{soaked.cpu_us_per_frame:.1f} us CPU a frame, memory {memory})"
        )
    for soaked in soaks[:-1]:
        base = soaks[-1]
        if soaked.frames and base.frames:
            lines.append(
                f"CPU {soaked.subject} / {base.subject}: {soaked.cpu_us_per_frame / base.cpu_us_per_frame:.2f}"
            )
    return lines


def as_json(soaked: Soaked) -> dict[str, Any]:
    """The figures of one soak, without its samples."""
    growth = memory_growth(soaked.memory)
    return {
        "subject": soaked.subject,
        "held": not complaints(soaked),
        "complaints": complaints(soaked),
        "frames": soaked.frames,
        "frames_per_s": round(soaked.frames_per_s, 1),
        "sent": soaked.sent,
        "received": soaked.received,
        "lost": soaked.lost,
        "errors": soaked.errors,
        "cpu_us_per_frame": round(soaked.cpu_us_per_frame, 2),
        "memory_growth_bytes": None if growth is None else round(growth[0]),
        "memory_level_bytes": None if growth is None else round(growth[1]),
    }
