"""The account's own credentials: from a file that only its owner may read, never from the command line."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from shadow.errors import UsageError
from shadow.upstream import Upstream

__all__ = ["CREDENTIALS_VARIABLE", "read_credentials"]

CREDENTIALS_VARIABLE = "WS_SHADOW_CREDENTIALS"
Credentials = dict[str, dict[str, str]]
NEEDED = {"gateio": ("key", "secret", "uid"), "mexc": ("key", "secret")}
WAY_OUT = f"name a file of mode 0600 in ${CREDENTIALS_VARIABLE}, or leave the private connections out"


def read_credentials(
    upstream: Upstream, connections: Sequence[str], environment: Mapping[str, str] = os.environ
) -> Credentials:
    """Key, secret and, for Gate.io, uid by exchange, for the private ones of some connections.

    They are those of the file that `$WS_SHADOW_CREDENTIALS` names, else the upstream's. UsageError when one is missing
    or the file may be read by others; no message holds anything of it.
    """
    exchanges = dict.fromkeys(one.partition(".")[0] for one in connections if one.endswith(".private"))
    if not exchanges:
        return {}
    name = environment.get(CREDENTIALS_VARIABLE)
    found = _read(Path(name)) if name else upstream.credentials
    for exchange in exchanges:
        if not all(found.get(exchange, {}).get(field) for field in NEEDED[exchange]):
            wanted = ", ".join(NEEDED[exchange])
            raise UsageError(f"private connections of {exchange} take its {wanted}; {WAY_OUT}")
    return {exchange: found[exchange] for exchange in exchanges}


def _read(path: Path) -> Credentials:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read()
    except OSError as error:
        raise UsageError(f"${CREDENTIALS_VARIABLE} names {path}: {error.strerror}; {WAY_OUT}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(f"{path} can be read by others; chmod 600 {path}")
    try:
        return msgspec.json.decode(data, type=Credentials)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise UsageError(f'{path} is not of the form {{"gateio":{{"key":..,"secret":..,"uid":..}}}}') from None
