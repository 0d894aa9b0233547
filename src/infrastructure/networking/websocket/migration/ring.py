"""A ring in shared memory from one process to another: one writer, one reader, no lock, nothing that waits.

Layout, in words of eight bytes: bytes written, bytes read, records skipped, reader sleeps, writer's beat, three spare,
then the data. A record is size, `recv` and `t` (both in ns of CLOCK_MONOTONIC) and the payload, padded to a word; size
`WRAP` says that the next record stands at the front. Publishing is the store of "bytes written", last of all; that the
other process sees the stores in this order is what x86-64 promises.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator

__all__ = ["Record", "Ring"]

WRITTEN, READ, SKIPPED, SLEEPS, BEAT = range(5)
HEADER_BYTES = 64
RECORD_BYTES = 24
WRAP = (1 << 64) - 1

Record = tuple[bytes, int, int]


class Ring:
    """One end of the ring. Its memory has no name: the other process is handed the descriptor, and nothing outlives
    the two, however they end."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, 0)
        self.capacity = len(self._memory) - HEADER_BYTES
        whole = memoryview(self._memory)
        self._counters = whole[:HEADER_BYTES].cast("Q")
        self._bytes = whole[HEADER_BYTES:]
        self._words = self._bytes.cast("Q")
        self._views = (self._words, self._bytes, self._counters, whole)
        self._at = self._counters[WRITTEN] % self.capacity
        self._base = self._counters[WRITTEN] - self._at
        self._limit = self._at

    @classmethod
    def create(cls, capacity: int) -> Ring:
        """A new ring for about so many bytes of records."""
        descriptor = os.memfd_create("ws-shadow-ring")
        os.ftruncate(descriptor, HEADER_BYTES + (capacity + 7 & -8))
        return cls(descriptor)

    @property
    def skipped(self) -> int:
        """Records for which there was no room."""
        return self._counters[SKIPPED]

    @property
    def beat(self) -> int:
        """A count that the writer's loop moves on while it lives."""
        return self._counters[BEAT]

    def note_beat(self) -> None:
        """The writer's loop is alive."""
        self._counters[BEAT] += 1

    @property
    def reader_sleeps(self) -> bool:
        """Whether the reader asked to be woken."""
        return bool(self._counters[SLEEPS])

    def note_sleep(self, sleeps: bool) -> None:
        """The reader is going to sleep, or was woken."""
        self._counters[SLEEPS] = sleeps

    def write(self, payload: bytes, recv_ns: int, t_ns: int) -> bool:
        """Copy one record in; False, and counted, when there is no room for it."""
        at = self._at
        start = at + 24
        end = start + len(payload)
        if end > self._limit:
            return self._write_slowly(payload, recv_ns, t_ns)
        words, word = self._words, at >> 3
        words[word] = end - start
        words[word + 1] = recv_ns
        words[word + 2] = t_ns
        self._bytes[start:end] = payload
        self._at = at = (end + 7) & -8
        self._counters[0] = self._base + at
        return True

    def _write_slowly(self, payload: bytes, recv_ns: int, t_ns: int) -> bool:
        """Look how far the reader is, and go on at the front where the end is too near."""
        need = (RECORD_BYTES + len(payload) + 7) & -8
        free = self.capacity - (self._base + self._at - self._counters[READ])
        to_end = self.capacity - self._at
        if need > (free if need <= to_end else free - to_end):
            self._counters[SKIPPED] += 1
            return False
        if need > to_end:
            if to_end:
                self._words[self._at >> 3] = WRAP
            self._base += self.capacity
            self._at, free, to_end = 0, free - to_end, self.capacity
        self._limit = self._at + min(free, to_end)
        return self.write(payload, recv_ns, t_ns)

    def has_records(self) -> bool:
        """Whether something waits for the reader."""
        return self._counters[WRITTEN] != self._counters[READ]

    def read(self) -> Iterator[Record]:
        """Take out what is there: payload, recv, t. Each record is given free before the next one is looked at."""
        counters, words = self._counters, self._words
        while counters[READ] != counters[WRITTEN]:
            at = counters[READ] % self.capacity
            size = words[at >> 3]
            if size == WRAP:
                counters[READ] += self.capacity - at
                continue
            start = at + RECORD_BYTES
            record = bytes(self._bytes[start : start + size]), words[(at >> 3) + 1], words[(at >> 3) + 2]
            counters[READ] += (RECORD_BYTES + size + 7) & -8
            yield record

    def close(self) -> None:
        """Let go of the memory and its descriptor."""
        for view in self._views:
            view.release()
        self._memory.close()
        os.close(self.descriptor)
