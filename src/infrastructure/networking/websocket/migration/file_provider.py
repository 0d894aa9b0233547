"""An OpenFeature provider over one file in flagd's format, keyed on content.

Content, not modification time, decides: restoring a backup brings an older time, and must take effect. What cannot be
used is refused as a whole, and the last good content stays.
The rules (fractional, starts_with, sem_ver and the rest) are evaluated by flagd's own core.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import GeneralError, ParseError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider
from openfeature.provider.metadata import Metadata

from infrastructure.networking.websocket.migration.flag_check import check_flags

__all__ = ["FLAG_FILE_VARIABLE", "FileProvider", "FlagState", "flag_file"]

FLAG_FILE_VARIABLE = "WS_SHADOW_FLAGS"
STALE_AFTER_S = 5.0

logger = logging.getLogger(__name__)

ValueT = TypeVar("ValueT")


def flag_file() -> Path:
    """Where the flag file lies: $WS_SHADOW_FLAGS, default `flags.json` in the working directory."""
    return Path(os.environ.get(FLAG_FILE_VARIABLE) or "flags.json")


@dataclass(frozen=True, slots=True)
class FlagState:
    """What this process goes by: its count of contents taken, and the seconds since the file last agreed with it.

    `problem` says why the file is not used as it lies there; `generation` 0 means that no file was ever good.
    """

    generation: int
    age_s: float
    problem: str | None

    @property
    def is_stale(self) -> bool:
        """Whether the file has been unusable for longer than 5 s."""
        return self.problem is not None and self.age_s > STALE_AFTER_S


class FileProvider(AbstractProvider):
    """Reads the file at each evaluation and hands changed content to flagd's core.

    An evaluation happens when a connection is made, never per message. Without a last good content a missing or
    unreadable file raises GeneralError, a malformed one ParseError; OpenFeature turns both into the coded default.
    """

    def __init__(self, path: Path | None = None) -> None:
        super().__init__()
        self._path = path
        self._read_path: Path | None = None
        self._content: bytes | None = None
        self._refused: bytes | None = None
        self._problem: str | None = None
        self._generation = 0
        self._good_at = 0.0
        self._core = FlagdCore()
        self._lock = threading.Lock()

    @property
    def state(self) -> FlagState:
        """What is applied, as of the last evaluation."""
        with self._lock:
            return FlagState(self._generation, time.monotonic() - self._good_at, self._problem)

    def get_metadata(self) -> Metadata:
        """The provider's name."""
        return Metadata(name="ws-shadow-file")

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """A boolean flag."""
        return self._told(self._current().resolve_boolean_value(flag_key, default_value, evaluation_context))

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """A string flag."""
        return self._told(self._current().resolve_string_value(flag_key, default_value, evaluation_context))

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """An integer flag."""
        return self._told(self._current().resolve_integer_value(flag_key, default_value, evaluation_context))

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """A float flag."""
        return self._told(self._current().resolve_float_value(flag_key, default_value, evaluation_context))

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        """An object flag."""
        return self._told(self._current().resolve_object_value(flag_key, default_value, evaluation_context))

    def _told(self, details: FlagResolutionDetails[ValueT]) -> FlagResolutionDetails[ValueT]:
        """The answer, with reason STALE where the file has been unusable for long."""
        return replace(details, reason=Reason.STALE) if self.state.is_stale else details

    def _current(self) -> FlagdCore:
        path = self._path or flag_file()
        with self._lock:
            if path != self._read_path:
                self._read_path, self._content, self._refused = path, None, None
            try:
                self._refresh(path)
            except (GeneralError, ParseError) as error:
                self._keep(error)
            return self._core

    def _refresh(self, path: Path) -> None:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise GeneralError(f"flag file {path}: {error.strerror}") from error
        if content != self._content:
            self._load(path, content)
        self._good_at, self._problem, self._refused = time.monotonic(), None, None

    def _keep(self, error: GeneralError | ParseError) -> None:
        """Stay with the last good content, and say so once for each reason; raise where there is none."""
        if self._content is None:
            raise error
        problem = error.error_message or type(error).__name__
        if problem != self._problem:
            logger.warning("%s; the last good one stays", problem)
        self._problem = problem

    def _load(self, path: Path, content: bytes) -> None:
        if content == self._refused and self._problem is not None:
            raise ParseError(self._problem)
        self._refused = content
        fresh = FlagdCore()
        try:
            parsed = json.loads(content)
            check_flags(parsed, fresh)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ParseError(f"flag file {path}: {error}") from error
        self._core, self._content = fresh, content
        self._generation += 1
