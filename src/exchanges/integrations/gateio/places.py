"""Where a Gate.io push shows its channel, and decoders for one type of frame each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import msgspec
from msgspec.structs import FieldInfo

__all__ = ["placed_decoders", "telling_place"]

# A push begins with its times, which have as many digits until the year 2286.
CHANNEL_AT = len('{"time":1790000000,"time_ms":1790000000000,"channel":"')
# The third letter behind the market's name and its dot tells the channels from each other.
TELLING_LETTER = 3

Placed = tuple[type[msgspec.Struct], Callable[[Any], Any]]


def telling_place(market: str) -> int:
    """Where in a push of this market that letter stands."""
    return CHANNEL_AT + len(market) + TELLING_LETTER


def placed_decoders(market: str, frames: Iterable[type[msgspec.Struct]]) -> dict[int, Placed]:
    """By that letter, each frame of a union tagged with its channel, and a decoder for it alone."""
    letter = len(market) + TELLING_LETTER
    return {ord(_channel_of(frame)[letter]): (frame, _decoder_of(frame)) for frame in frames}


def _channel_of(frame: type[msgspec.Struct]) -> str:
    channel = frame.__struct_config__.tag
    assert isinstance(channel, str)
    return channel


def _decoder_of(frame: type[msgspec.Struct]) -> Callable[[Any], Any]:
    """Takes what the union's decoder takes for this frame, and nothing else.

    For that the channel is a field, which has to be there: a decoder of one tagged type would do without its tag.
    """
    fields = msgspec.structs.fields(frame)
    # As they stand on the wire: the times, the channel, the result.
    times = [_spec_of(field) for field in fields if not field.required]
    results = [_spec_of(field) for field in fields if field.required]
    tag_field = frame.__struct_config__.tag_field
    assert tag_field is not None
    specs: list[Any] = [*times, (tag_field, Literal[_channel_of(frame)]), *results]
    alone = msgspec.defstruct(f"Placed{frame.__name__}", specs, kw_only=True, gc=False)
    return msgspec.json.Decoder(alone, strict=False).decode


def _spec_of(field: FieldInfo) -> tuple[Any, ...]:
    return (field.name, field.type) if field.required else (field.name, field.type, field.default)
