"""Where the flag comes from: an OpenFeature provider by import path, and without one the flag file.

$WS_SHADOW_FLAG_PROVIDER is `module:attribute`: a provider, or what makes one when it is called without arguments.
"""

from __future__ import annotations

import inspect
import os
from importlib import import_module
from typing import Any

from openfeature.provider import FeatureProvider

from exchanges.structs.errors import FlagProviderError
from infrastructure.networking.websocket.migration.words import in_one_line

__all__ = ["PROVIDER_VARIABLE", "make_provider", "provider_path"]

PROVIDER_VARIABLE = "WS_SHADOW_FLAG_PROVIDER"
WAY_OUT = f"mend ${PROVIDER_VARIABLE}, or unset it for the flag file"
NEEDED = ("attach", "detach", "get_metadata", "get_provider_hooks", "resolve_string_details")


def provider_path() -> str | None:
    """The import path that the environment gives; None where there is none, or an empty one."""
    return os.environ.get(PROVIDER_VARIABLE) or None


def make_provider() -> FeatureProvider:
    """The provider to ask, not yet initialised; FlagProviderError, in one line, where the path gives none."""
    path = provider_path()
    if path is None:
        from infrastructure.networking.websocket.migration.file_provider import FileProvider

        return FileProvider()
    try:
        return _checked(_load(path))
    except FlagProviderError as error:
        raise FlagProviderError(f"flag provider {path!r} {error}; {WAY_OUT}") from error


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    if not module or not name.isidentifier():
        raise FlagProviderError("is no import path; write module:attribute")
    try:
        found = getattr(import_module(module), name)
    except AttributeError:
        raise FlagProviderError(f"does not exist: {module} has no {name}") from None
    except (Exception, SystemExit) as error:
        raise FlagProviderError(f"cannot be imported: {type(error).__name__}: {in_one_line(error)}") from error
    if inspect.isclass(found) or not hasattr(found, "resolve_string_details"):
        return _made(found)
    return found


def _made(maker: Any) -> Any:
    if not callable(maker):
        return maker
    try:
        return maker()
    except (Exception, SystemExit) as error:
        raise FlagProviderError(f"cannot be made: {type(error).__name__}: {in_one_line(error)}") from error


def _checked(found: Any) -> FeatureProvider:
    missing = [name for name in NEEDED if not callable(getattr(found, name, None))]
    if missing:
        raise FlagProviderError(f"is no OpenFeature provider: a {type(found).__name__} without {missing[0]}")
    provider: FeatureProvider = found
    return provider
