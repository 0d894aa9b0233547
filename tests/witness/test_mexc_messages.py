"""Our MEXC messages against the generated files that ccxt ships: byte for byte, both directions."""

from __future__ import annotations

from typing import Any

import pytest
from ccxt.protobuf.mexc import PushDataV3ApiWrapper_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import given
from hypothesis import strategies as st

from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper

Theirs = PushDataV3ApiWrapper_pb2.PushDataV3ApiWrapper
OURS, THEIRS = PushDataV3ApiWrapper.DESCRIPTOR, Theirs.DESCRIPTOR
BODIES = sorted(field.name for field in OURS.oneofs_by_name["body"].fields)
# Added by the exchange in 2026; the generated files that ccxt ships do not know them yet.
NEWER = {
    "PublicAggreDepthsV3Api.lastOrderCreateTime",
    "PublicAggreDealsV3ApiItem.tradeId",
    "PublicLimitDepthsV3Api.lastOrderCreateTime",
    "PublicAggreBookTickerV3Api.version",
    "PublicAggreBookTickerV3Api.lastOrderCreateTime",
    "PublicBookTickerBatchV3Api.version",
    "PublicBookTickerBatchV3Api.lastOrderCreateTime",
}
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)


def lines(message: Descriptor) -> dict[str, tuple[int, int, bool]]:
    """Number, type and whether repeated, of each field by name."""
    return {field.name: (field.number, field.type, field.is_repeated) for field in message.fields}


def messages(message: Descriptor) -> dict[str, Descriptor]:
    """A message and all that it holds, by name."""
    found = {message.name: message}
    for field in message.fields:
        if field.message_type is not None and field.message_type.name not in found:
            found |= messages(field.message_type)
    return found


def value(field: FieldDescriptor, known: Descriptor) -> st.SearchStrategy[Any]:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return content(field.message_type, known.fields_by_name[field.name].message_type)
    if field.type == FieldDescriptor.TYPE_STRING:
        return TEXTS
    if field.type == FieldDescriptor.TYPE_BOOL:
        return st.booleans()
    bits = 63 if field.type == FieldDescriptor.TYPE_INT64 else 31
    return st.integers(-(2**bits), 2**bits - 1)


def content(message: Descriptor, known: Descriptor) -> st.SearchStrategy[dict[str, Any]]:
    """Values of a message's fields, of those that `known` has too."""
    fields = [field for field in message.fields if field.name in known.fields_by_name]
    return st.fixed_dictionaries(
        {},
        optional={
            field.name: st.lists(value(field, known), max_size=3) if field.is_repeated else value(field, known)
            for field in fields
        },
    )


def push(body: str, limited_to: Descriptor) -> st.SearchStrategy[dict[str, Any]]:
    """The content of a wrapper with this body."""
    head = {"channel": TEXTS, "symbol": TEXTS, "sendTime": st.integers(0, 2**53)}
    other = limited_to.fields_by_name[body].message_type
    return st.fixed_dictionaries({body: content(OURS.fields_by_name[body].message_type, other)}, optional=head)


def test_both_know_the_same_messages_and_fields() -> None:
    ours, theirs = messages(OURS), messages(THEIRS)
    assert set(ours) == set(theirs)
    assert len(BODIES) == 15
    unknown = {f"{name}.{field}" for name in ours for field in lines(ours[name]).keys() - lines(theirs[name]).keys()}
    assert unknown == NEWER
    for name, message in theirs.items():
        mine = lines(ours[name])
        assert {field: mine.get(field) for field in lines(message)} == lines(message), name


@pytest.mark.checklist("3.1.11")
@pytest.mark.parametrize("body", BODIES)
@given(data=st.data())
def test_the_same_content_is_the_same_bytes_both_ways(body: str, data: st.DataObject) -> None:
    values = data.draw(push(body, THEIRS))
    ours, theirs = PushDataV3ApiWrapper(**values), Theirs(**values)
    wire: bytes = ours.SerializeToString()
    assert wire == theirs.SerializeToString()
    assert PushDataV3ApiWrapper.FromString(wire) == ours
    assert Theirs.FromString(wire) == theirs
    assert Theirs.FromString(wire).SerializeToString() == wire


@pytest.mark.parametrize(
    "body", ["publicAggreDeals", "publicAggreDepths", "publicAggreBookTicker", "publicLimitDepths"]
)
@given(data=st.data())
def test_fields_added_since_are_skipped_and_kept(body: str, data: st.DataObject) -> None:
    values = data.draw(push(body, OURS))
    wire = PushDataV3ApiWrapper(**values).SerializeToString()
    theirs = Theirs.FromString(wire)
    assert theirs.WhichOneof("body") == body
    assert PushDataV3ApiWrapper.FromString(theirs.SerializeToString()) == PushDataV3ApiWrapper(**values)
