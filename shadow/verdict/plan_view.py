"""What session.json declared before the run: legs, rates, mix, and which metrics are judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shadow.release_plan import CAP_S, lack_of
from shadow.verdict.checklist import Checklist
from shadow.verdict.series import PRIVATE_TYPES, PUBLIC_TYPES

__all__ = ["PlanView"]


class PlanView:
    """session.json's declarations. Nothing here depends on what came."""

    def __init__(self, session: Mapping[str, Any]) -> None:
        plan = session.get("plan") or {}
        self.grade = str(session.get("grade", "quick"))
        self.feed = str(session.get("feed", "sim"))
        self.direct = bool(session.get("direct"))
        self.connections: list[str] = list(session.get("connections", []))
        self.symbols: list[str] = list(session.get("symbols", []))
        self.calibrated = bool(session.get("calibration", False)) and not self.replay and not self.live
        self.block_s = float(plan.get("block_s", 0.5))
        self.keep_one_in = int(plan.get("keep_one_in") or 1)
        self.legs: list[dict[str, Any]] = list(plan.get("legs", []))
        self.rate = session.get("rate")
        self.seed = int(session.get("seed") or 0)
        self.storm = session.get("profile") == "storm"
        self.faults = [str(fault) for fault in session.get("faults") or ()]
        self._power: Mapping[str, Any] = session.get("power") or {}
        self._channels: Mapping[str, list[str]] = session.get("channels") or {}
        self._mix: Mapping[str, float] = session.get("mix") or {}

    @property
    def replay(self) -> bool:
        """A capture is replayed: facts only."""
        return self.feed.partition(":")[0] == "capture"

    @property
    def live(self) -> bool:
        """The exchanges' own feed: facts only, at a pace that nobody declared."""
        return self.feed == "live"

    @property
    def capacity(self) -> bool:
        """Steps of rising pace: facts, and what each side keeps up with."""
        return any(phase.get("rate") for leg in self.legs for phase in leg["phases"])

    @property
    def release(self) -> bool:
        """Grade release: several legs of each kind, each of them the unit for CPU, memory and connect times."""
        return self.grade == "release"

    @property
    def main_legs(self) -> list[str]:
        """The legs that compare legacy with new."""
        return [leg["leg"] for leg in self.legs if leg["leg"].startswith("main")]

    @property
    def aa_legs(self) -> list[str]:
        """The legs that compare legacy with itself, but for the positive control."""
        return [leg["leg"] for leg in self.legs if leg["leg"].startswith("aa")]

    @property
    def short(self) -> dict[str, str]:
        """Why the power of a metric does not suffice, where the length was worked out and the cap is too short."""
        cap_s = float(self._power.get("cap_s") or CAP_S)
        return {name: lack_of(minutes, cap_s) for name, minutes in (self._power.get("short") or {}).items()}

    def roles(self, leg: str) -> tuple[str, str]:
        """Baseline and candidate of a leg."""
        for planned in self.legs:
            if planned["leg"] == leg:
                return planned["roles"][0], planned["roles"][1]
        return ("legacy", "new") if leg.startswith("main") else ("legacy", "legacy2")

    def seconds(self, leg: str, phase: str) -> float:
        """Declared length of a phase; 0 where there is none."""
        return sum(
            float(planned["seconds"])
            for leg_ in self.legs
            if leg_["leg"] == leg
            for planned in leg_["phases"]
            if planned["phase"] == phase
        )

    def blocks(self, leg: str, block_s: float | None = None) -> int:
        """Declared blocks of a leg's paired phase."""
        return int(self.seconds(leg, "paired") / (block_s or self.block_s) + 1e-9)

    def types(self, connection: str) -> list[str]:
        """Event types asked of a connection."""
        every = PRIVATE_TYPES if connection.endswith(".private") else PUBLIC_TYPES
        return [name for name in every if name in self._channels.get(connection, every)]

    def mix(self, connection: str) -> dict[str, float]:
        """Share of each of the connection's types; equal shares where the plan has none."""
        types = self.types(connection)
        total = sum(self._mix.get(name, 0.0) for name in types)
        return {name: self._mix.get(name, 0.0) / total if total > 0 else 1 / len(types) for name in types}

    def declares_type(self, connection: str, name: str, limits: Checklist) -> bool:
        """Whether the plan gives a single type enough pairs in each of enough blocks, in its calibration as well."""
        pairs = self._pairs_per_s(connection, name) * self.block_s
        enough = limits.session
        aa_blocks = sum(self.blocks(leg) for leg in self.aa_legs)
        calibration = aa_blocks if self.calibrated else enough.declared_aa_blocks
        return (
            pairs >= enough.pairs_per_block - 1e-9
            and sum(self.blocks(leg) for leg in self.main_legs) >= enough.declared_blocks
            and calibration >= enough.declared_aa_blocks
        )

    def declares_p90(self, connection: str, name: str | None, limits: Checklist) -> bool:
        """Whether the plan's calibration gives a connection's p90, or a type's, the pairs that its A/A gate takes.

        Its error falls with the pairs: with fewer, legacy against itself leaves half the margin by chance.
        """
        if not self.calibrated:
            return True
        seconds = sum(self.seconds(leg, "paired") for leg in self.aa_legs)
        return self._pairs_per_s(connection, name) * seconds >= limits.session.declared_p90_pairs

    def _pairs_per_s(self, connection: str, name: str | None) -> float:
        """Planned pairs of a connection, or of one of its types; 0 where no rate was declared."""
        if not isinstance(self.rate, (int, float)) or isinstance(self.rate, bool) or not self.connections:
            return 0.0
        share = 1.0 if name is None else self.mix(connection).get(name, 0.0)
        return self.rate / len(self.connections) * share / self.keep_one_in
