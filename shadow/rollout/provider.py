"""The provider that consumers ask instead of the flag file, looked at before anything is moved away from legacy."""

from __future__ import annotations

from shadow.errors import UsageError

__all__ = ["require_provider"]


def require_provider(*, keeps: bool = False) -> None:
    """UsageError where the environment names a provider that gives no stage: consumers would stay with legacy.

    With `keeps` it stays in use in this process.
    """
    from infrastructure.networking.websocket.migration.provider_check import FlagProviderError, check_provider

    try:
        check_provider(keeps=keeps)
    except FlagProviderError as error:
        raise UsageError(str(error)) from error
