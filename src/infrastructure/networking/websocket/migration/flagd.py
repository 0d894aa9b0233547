"""flagd over gRPC: the daemon says at once that a flag has changed. Extra `[flagd]`.

To be named as $WS_SHADOW_FLAG_PROVIDER; the provider's own variables (FLAGD_HOST, FLAGD_PORT, FLAGD_TLS) say where.
"""

from __future__ import annotations

import os

from openfeature.provider import FeatureProvider

from exchanges.structs.errors import ConfigurationError

__all__ = ["make_flagd"]

FIRST_RETRY_MS = 100
RETRY_MS = 1000
GRACE_S = 1


def make_flagd() -> FeatureProvider:
    """The official provider; ConfigurationError where it is not installed.

    Its cache is off: it knows answers by the flag's name alone, whatever the unit, and keeps them over a connection
    that was lost. Unless the environment says otherwise it tries to connect again sooner than by its own default, and
    gives itself a second before an outage is an error: a timer of that length keeps a process that ends alive.
    """
    try:
        from openfeature.contrib.provider.flagd import FlagdProvider
        from openfeature.contrib.provider.flagd.config import CacheType, ResolverType
    except ImportError as error:
        raise ConfigurationError(f"{error}; install ws-shadow[flagd]") from error
    return FlagdProvider(
        resolver_type=ResolverType.RPC,
        cache=CacheType.DISABLED,
        retry_backoff_ms=_told("FLAGD_RETRY_BACKOFF_MS", FIRST_RETRY_MS),
        retry_backoff_max_ms=_told("FLAGD_RETRY_BACKOFF_MAX_MS", RETRY_MS),
        retry_grace_period=_told("FLAGD_RETRY_GRACE_PERIOD", GRACE_S),
    )


def _told(variable: str, default: int) -> int | None:
    """None lets the provider read its variable."""
    return None if variable in os.environ else default
