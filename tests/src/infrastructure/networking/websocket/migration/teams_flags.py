"""Flag providers as a team has them, named by import path: one that works, and one for each way in which they fail."""

from __future__ import annotations

import threading
from typing import Any

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import GeneralError
from openfeature.flag_evaluation import FlagResolutionDetails
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

from infrastructure.networking.websocket.migration.stage import FLAG, Stage

VARIANTS = {stage.value: stage.value for stage in Stage}
GRACE_S = 5.0
NUMBER = 7


class InMemory(InMemoryProvider):
    """Gives one stage; `turn` is the team's hand on it."""

    def __init__(self, variant: str = "live") -> None:
        super().__init__({FLAG: InMemoryFlag(variant, VARIANTS)})

    def turn(self, variant: str) -> None:
        """Another stage from now on, and the event that says so."""
        self._flags = {FLAG: InMemoryFlag(variant, VARIANTS)}
        self.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=[FLAG]))


class NeverReady(InMemory):
    """A provider whose start does not end."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        self.go_on.wait(GRACE_S)


class RefusesToStart(InMemory):
    """A provider that gives up at its start and has no answer after that."""

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        raise GeneralError("the flag service is away")

    def resolve_string_details(self, *_: Any, **__: Any) -> FlagResolutionDetails[str]:
        raise GeneralError("the flag service is still away")


class Unsteady(InMemory):
    """A provider that works until `mood` says how it fails: `frozen`, `raising`, `flapping` or `nonsense`."""

    def __init__(self, variant: str = "live") -> None:
        super().__init__(variant)
        self.mood = ""
        self.asked = 0
        self.go_on = threading.Event()

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        self.asked += 1
        if self.mood == "frozen":
            self.go_on.wait(GRACE_S)
        if self.mood == "raising" or (self.mood == "flapping" and self.asked % 2):
            raise RuntimeError("a provider's own mistake")
        if self.mood == "nonsense":
            return FlagResolutionDetails("everything")
        return super().resolve_string_details(flag_key, default_value, evaluation_context)


class NeedsWords(InMemory):
    """Cannot be made without arguments."""

    def __init__(self, words: str) -> None:
        super().__init__(words)


def make() -> InMemory:
    """What a team writes that has to configure its provider."""
    return InMemory("canary")
