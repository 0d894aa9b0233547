"""An OpenFeature provider over one file in flagd's format, keyed on content.

Content, not modification time, decides: restoring a backup brings an older time, and must take effect.
The rules (fractional, starts_with, sem_ver and the rest) are evaluated by flagd's own core.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import GeneralError, ParseError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType
from openfeature.provider import AbstractProvider
from openfeature.provider.metadata import Metadata

__all__ = ["FLAG_FILE_VARIABLE", "FileProvider", "flag_file"]

FLAG_FILE_VARIABLE = "WS_SHADOW_FLAGS"


def flag_file() -> Path:
    """Where the flag file lies: $WS_SHADOW_FLAGS, default `flags.json` in the working directory."""
    return Path(os.environ.get(FLAG_FILE_VARIABLE) or "flags.json")


class FileProvider(AbstractProvider):
    """Reads the file at each evaluation and hands changed content to flagd's core.

    An evaluation happens when a connection is made, never per message. A missing or unreadable file raises
    GeneralError, a malformed one ParseError; OpenFeature turns both into the coded default.
    """

    def __init__(self, path: Path | None = None) -> None:
        super().__init__()
        self._path = path
        self._content: bytes | None = None
        self._core = FlagdCore()
        self._lock = threading.Lock()

    def get_metadata(self) -> Metadata:
        """The provider's name."""
        return Metadata(name="ws-shadow-file")

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """A boolean flag."""
        return self._current().resolve_boolean_value(flag_key, default_value, evaluation_context)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """A string flag."""
        return self._current().resolve_string_value(flag_key, default_value, evaluation_context)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """An integer flag."""
        return self._current().resolve_integer_value(flag_key, default_value, evaluation_context)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """A float flag."""
        return self._current().resolve_float_value(flag_key, default_value, evaluation_context)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        """An object flag."""
        return self._current().resolve_object_value(flag_key, default_value, evaluation_context)

    def _current(self) -> FlagdCore:
        path = self._path or flag_file()
        with self._lock:
            try:
                content = path.read_bytes()
            except OSError as error:
                raise GeneralError(f"flag file {path}: {error.strerror}") from error
            if content != self._content:
                self._load(path, content)
            return self._core

    def _load(self, path: Path, content: bytes) -> None:
        fresh = FlagdCore()
        try:
            parsed = json.loads(content)
            if not isinstance(parsed, dict):
                raise ParseError(f"flag file {path}: not a JSON object")
            fresh.set_flags(parsed)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ParseError(f"flag file {path}: {error}") from error
        self._core, self._content = fresh, content
