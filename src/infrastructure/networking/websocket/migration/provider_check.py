"""Looks at the provider that the environment names, as the flag file is looked at before it is used."""

from __future__ import annotations

import threading

from openfeature import api

from exchanges.structs.errors import FlagProviderError
from infrastructure.networking.websocket.migration.flag_check import SAMPLES
from infrastructure.networking.websocket.migration.provider import WAY_OUT, provider_path
from infrastructure.networking.websocket.migration.stage import ANSWER_WITHIN_S, answer
from infrastructure.networking.websocket.migration.unit import Unit
from infrastructure.networking.websocket.migration.words import in_one_line

__all__ = ["FlagProviderError", "check_provider"]


def check_provider(*, keeps: bool) -> None:
    """Load it, let it start, ask it; FlagProviderError unless it gives a few units a stage within a second.

    Where the environment names none there is nothing to check. With `keeps` the provider stays in use in this process;
    otherwise it is shut down, since a provider may have threads of its own that keep a process alive.
    """
    path = provider_path()
    if path is None:
        return
    problems: list[str | None] = []

    def look() -> None:
        problems.append(_problem(path))
        if not keeps:
            api.clear_providers()

    # One that hangs costs a thread.
    looking = threading.Thread(target=look, name="flag-check", daemon=True)
    looking.start()
    looking.join(ANSWER_WITHIN_S)
    late = f"flag provider {path!r} does not answer within {ANSWER_WITHIN_S:g} s; {WAY_OUT}"
    problem = problems[0] if problems else late
    if problem is not None:
        raise FlagProviderError(problem)


def _problem(path: str) -> str | None:
    try:
        for sample in SAMPLES:
            answer(Unit(*sample))
    except FlagProviderError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever a provider raises is what is wrong with it
        return f"flag provider {path!r} gives no stage: {in_one_line(error)}; {WAY_OUT}"
    return None
