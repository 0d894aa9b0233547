"""The flag file: read as a person or this command wrote it, written whole or not at all."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from infrastructure.networking.websocket.migration.file_provider import FileProvider
from infrastructure.networking.websocket.migration.stage import FLAG, Stage
from shadow.errors import ShadowError, UsageError
from shadow.rollout.stages import OFF, Position, Rules, position_of
from shadow.rollout.targeting import read_targeting, targeting_of
from shadow.rollout.units import Unit, representatives

__all__ = ["OVERTAKEN", "FlagFile", "Mark", "evaluated", "read_flag_file", "replace_file", "salvage", "write_flag_file"]

OVERTAKEN: Final = "the flag was changed meanwhile; look at `shadow rollout status`, then try again"
VARIANTS: Final = {stage.value: stage.value for stage in Stage}
_OURS: Final = frozenset({"state", "variants", "defaultVariant", "targeting", "metadata"})


@dataclass(frozen=True)
class Mark:
    """What a write leaves in the flag's metadata: its number, and length and last hash of the journal before it."""

    generation: int = 0
    count: int = 0
    head: str = ""


@dataclass(frozen=True)
class FlagFile:
    """The content that matters, and all of the file, whose other flags are kept."""

    rules: Rules = ()
    mark: Mark = Mark()
    content: dict[str, Any] = field(default_factory=dict)


def read_flag_file(path: Path) -> FlagFile:
    """The flag file; an empty one where there is none. UsageError for one that is not understood, with the way out."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return FlagFile()
    except OSError as error:
        raise UsageError(f"flag file {path} cannot be read: {error.strerror}; give this user the right to") from None
    except (ValueError, RecursionError):
        raise UsageError(f"flag file {path} is no JSON; {_WAY_OUT}") from None
    flags = content.get("flags", {}) if isinstance(content, dict) else None
    if not isinstance(flags, dict):
        raise UsageError(f"flag file {path} holds no object `flags`; {_WAY_OUT}")
    if FLAG not in flags:
        return FlagFile(content=content)
    return FlagFile(*_read_flag(path, flags[FLAG]), content)


_WAY_OUT: Final = "mend it by hand, or `shadow rollout rollback '*'` to write it anew with legacy serving"


def salvage(path: Path) -> FlagFile:
    """What can be kept of a file that is not understood: a person's other flags and the mark; a copy lies beside it.

    ShadowError where the copy cannot be made.
    """
    try:
        data = path.read_bytes()
        replace_file(path.with_name(f"{path.name}.before-rollback"), data)
        content = json.loads(data)
    except (OSError, ValueError, RecursionError):
        return FlagFile()
    if not isinstance(content, dict) or not isinstance(content.get("flags", {}), dict):
        return FlagFile()
    flag = content.get("flags", {}).get(FLAG)
    return FlagFile((), _read_mark(flag.get("metadata") if isinstance(flag, dict) else None), content)


def _read_flag(path: Path, flag: Any) -> tuple[Rules, Mark]:
    if not isinstance(flag, dict) or not set(flag) <= _OURS:
        raise UsageError(f"flag file {path}: {FLAG} holds more than {', '.join(sorted(_OURS))}; {_WAY_OUT}")
    if flag.get("state") != "ENABLED":
        raise UsageError(f"flag file {path}: {FLAG} is not ENABLED, so that its rules do nothing; {_WAY_OUT}")
    if flag.get("defaultVariant") != OFF.stage.value:
        raise UsageError(f'flag file {path}: the defaultVariant of {FLAG} has to be "off", legacy; {_WAY_OUT}')
    if flag.get("variants") != VARIANTS:
        raise UsageError(f"flag file {path}: the variants of {FLAG} have to be {', '.join(VARIANTS)}; {_WAY_OUT}")
    return read_targeting(flag.get("targeting")), _read_mark(flag.get("metadata"))


def _read_mark(metadata: Any) -> Mark:
    """A mark that is missing or damaged is that of a file that a person wrote."""
    found = metadata if isinstance(metadata, dict) else {}
    generation, count, head = (found.get(name) for name in ("generation", "journal_entries", "journal_head"))
    if type(generation) is not int or type(count) is not int or not isinstance(head, str):
        return Mark()
    return Mark(generation, count, head)


def write_flag_file(path: Path, before: FlagFile, rules: Rules, mark: Mark, *, is_rollback: bool = False) -> FlagFile:
    """Replace the file in one step; other flags stay. ShadowError where it would not say what it should.

    What is written is evaluated by flagd's own core before it takes the old file's place, and read back after.
    UsageError where another write has overtaken this one; a rollback asks for none.
    """
    content = copy.deepcopy(before.content)
    content.setdefault("flags", {})[FLAG] = _flag(rules, mark)
    data = (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()

    def check(part: Path) -> None:
        _check(part, rules)
        if not is_rollback and read_flag_file(path).mark != before.mark:
            raise UsageError(OVERTAKEN)

    replace_file(path, data, check=check)
    if path.read_bytes() != data:
        raise ShadowError(f"flag file {path} was changed while it was written; look at it, then try again")
    return FlagFile(rules, mark, content)


def _flag(rules: Rules, mark: Mark) -> dict[str, Any]:
    return {
        "state": "ENABLED",
        "variants": dict(VARIANTS),
        "defaultVariant": OFF.stage.value,
        "targeting": targeting_of(rules),
        "metadata": {"generation": mark.generation, "journal_entries": mark.count, "journal_head": mark.head},
    }


def _check(path: Path, rules: Rules) -> None:
    units = representatives(rule.unit for rule in rules)
    for unit, found in zip(units, evaluated(path, units), strict=True):
        if found not in _stages_of(position_of(rules, unit)):
            raise ShadowError(f"the flag file would give {unit} the stage {found.value}; nothing was changed")


def _stages_of(position: Position) -> tuple[Stage, ...]:
    return (position.stage,) if position.share is None else (Stage.CANARY, Stage.SHADOW)


def evaluated(source: Path | Rules, units: Iterable[Unit]) -> list[Stage]:
    """What a flag file, or rules that stand in none yet, give each single unit, asked of flagd's own core.

    ShadowError where there is no answer.
    """
    from openfeature.contrib.tools.flagd.core import FlagdCore
    from openfeature.evaluation_context import EvaluationContext
    from openfeature.exception import OpenFeatureError
    from openfeature.flag_evaluation import FlagResolutionDetails

    resolve: Callable[[str, str, EvaluationContext], FlagResolutionDetails[str]]
    if isinstance(source, Path):
        resolve = FileProvider(source).resolve_string_details
    else:
        core = FlagdCore()
        core.set_flags({"flags": {FLAG: _flag(source, Mark())}})
        resolve = core.resolve_string_value
    contexts = (EvaluationContext(unit.targeting_key, dict(unit.context())) for unit in units)
    try:
        return [Stage(resolve(FLAG, OFF.stage.value, context).value) for context in contexts]
    except (OpenFeatureError, ValueError) as error:
        raise ShadowError(f"the flag has no answer: {error}") from error


def replace_file(path: Path, data: bytes, check: Callable[[Path], None] | None = None) -> None:
    """Write beside, fsync, look at it with `check`, rename; behind a link the file that it names.

    Owner and mode stay as they are, those of a new file are the caller's and 0600. ShadowError where it cannot be.
    """
    try:
        path = Path(os.path.realpath(path))
        part = path.with_name(f".{path.name}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            _liken(descriptor, path)
            os.fsync(descriptor)
        if check is not None:
            check(part)
        os.replace(part, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise ShadowError(f"{path} cannot be written: {error.strerror}") from error


def _liken(descriptor: int, path: Path) -> None:
    """Give the new file owner and mode of the one whose place it takes, as far as this user may."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return
    for owner in (found.st_uid, -1):
        with suppress(PermissionError):
            os.fchown(descriptor, owner, found.st_gid)
            break
    os.fchmod(descriptor, found.st_mode & 0o777)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
