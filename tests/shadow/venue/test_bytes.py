"""Frame headers and the protobuf wrapper without its body, checked against other implementations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from shadow.venue.outgoing import frame_bytes
from shadow.venue.protobuf_strip import without_body


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 70000])
@pytest.mark.parametrize("is_text", [True, False])
def test_frames_are_as_the_library_writes_them(size: int, is_text: bool) -> None:
    payload = b"x" * size
    expected = Frame(Opcode.TEXT if is_text else Opcode.BINARY, payload).serialize(mask=False)
    assert frame_bytes(payload, is_text) == expected


def test_the_wrapper_of_real_frames_stays_and_the_body_goes(captures: Path) -> None:
    from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper

    for line in (captures / "mexc-binary-2025-2026.jsonl").read_text().splitlines():
        payload = bytes.fromhex(json.loads(line)["hex"])
        whole, bare = PushDataV3ApiWrapper.FromString(payload), PushDataV3ApiWrapper.FromString(without_body(payload))
        assert whole.WhichOneof("body") is not None
        assert bare.WhichOneof("body") is None
        assert (bare.channel, bare.symbol, bare.sendTime) == (whole.channel, whole.symbol, whole.sendTime)


@given(st.binary(max_size=64))
def test_stripping_ends_or_refuses_on_any_bytes(data: bytes) -> None:
    try:
        assert len(without_body(data)) <= len(data)
    except ValueError:
        pass
