"""The target probe of a session: times the stacks' layers in a process of its own when all legs are over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from shadow.capture.probe_file import Figures, Probe, write_probe
from shadow.children import Child, ChildDied, same_layout, subject_environment
from shadow.config import SessionConfig, own_subject
from shadow.leg_run import Listener

__all__ = ["SHORTEST_S", "architectures", "probe_stacks", "probe_targets", "reason_to_skip"]

SHORTEST_S = 20.0
PATIENCE_S = 20.0
FOREIGN = "foreign stack"


async def probe_targets(
    config: SessionConfig,
    folder: Path,
    failures: Mapping[str, str],
    settle: Callable[[], None],
    listener: Listener,
) -> None:
    """Measure when nobody else is busy and write probe.json, which says why where nothing was measured.

    `failures` are those of the last leg by role; `settle` moves a process to the subjects' core.
    """
    probe = Probe(skipped=reason_to_skip(config, failures))
    if not probe.skipped:
        listener.phase("probe", "targets", 0.0)
        probe = await probe_stacks(config, folder, settle)
        if probe.skipped:
            listener.note(probe.skipped)
    write_probe(folder, probe)


def reason_to_skip(config: SessionConfig, failures: Mapping[str, str]) -> str:
    """Why a session has no probe; empty where it has one. A probe takes a second: too much for a short session."""
    if config.is_replay:
        return "a replayed capture proves facts only"
    if config.is_live:
        return "a live session proves facts only"
    if config.is_capacity:
        return "a capacity run judges no times"
    if config.plan().measured_s < SHORTEST_S:
        return f"session shorter than {SHORTEST_S:g} s"
    if failures:
        return "a subject failed: " + ", ".join(f"{role} {reason}" for role, reason in sorted(failures.items()))
    return ""


def architectures(config: SessionConfig) -> dict[str, str]:
    """Which of our stacks plays a role, by its command; a role that a foreign command plays is left out."""
    commands = {"legacy": config.legacy or own_subject("legacy"), "new": config.new or own_subject("new")}
    own = {own_subject(name): name for name in ("legacy", "new")}
    return {role: own[command] for role, command in commands.items() if command in own}


async def probe_stacks(config: SessionConfig, folder: Path, settle: Callable[[], None]) -> Probe:
    """Measure what can be measured in this session; a probe that fails is no reason to lose the session.

    The process starts like a subject: same environment and layout, on the subjects' core where `settle` moves it.
    """
    roles = architectures(config)
    missing = {role: FOREIGN for role in ("legacy", "new") if role not in roles}
    if not roles:
        return Probe(missing=missing)

    def before_program() -> None:
        same_layout()
        settle()

    try:
        child = await Child.start(
            "probe",
            "shadow.subjects.probe",
            log=folder / "probe.log",
            first={"roles": roles},
            environment=subject_environment(),
            before_program=before_program,
        )
        try:
            answer = await child.expect(lambda m: m.get("k") == "figures", PATIENCE_S)
        finally:
            await child.end()
        return Probe(missing=missing, figures=msgspec.convert(answer["figures"], Figures))
    except (ChildDied, TimeoutError, msgspec.ValidationError) as fault:
        return Probe(skipped=f"the probe failed ({str(fault) or 'no answer in time'}); see probe.log", missing=missing)
