"""Our MEXC messages against the generated files that ccxt ships: byte for byte, both directions."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from ccxt.protobuf.mexc import PushDataV3ApiWrapper_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper
from shadow.reference.mexc_wire import decode_push
from shadow.venue import protobuf as venue_protobuf

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


@cache
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


NEWER_BODIES = [
    field.name
    for field in OURS.oneofs_by_name["body"].fields
    if {f"{name}.{line}" for name, held in messages(field.message_type).items() for line in lines(held)} & NEWER
]


def test_every_field_added_since_is_in_one_of_the_bodies_tried_below() -> None:
    tried = set()
    for body in NEWER_BODIES:
        held = messages(OURS.fields_by_name[body].message_type)
        tried |= {f"{name}.{field}" for name, message in held.items() for field in lines(message)}
    assert tried >= NEWER
    assert len(NEWER_BODIES) == 5


@pytest.mark.parametrize("body", NEWER_BODIES)
@given(data=st.data())
def test_fields_added_since_are_skipped_and_kept(body: str, data: st.DataObject) -> None:
    values = data.draw(push(body, OURS))
    wire = PushDataV3ApiWrapper(**values).SerializeToString()
    theirs = Theirs.FromString(wire)
    assert theirs.WhichOneof("body") == body
    assert PushDataV3ApiWrapper.FromString(theirs.SerializeToString()) == PushDataV3ApiWrapper(**values)


def field(number: int, content: bytes | int) -> bytes:
    """A field that no table has, as the exchange may add one: text, or a number."""
    if isinstance(content, int):
        return venue_protobuf.varint(number << 3) + venue_protobuf.varint(content)
    return venue_protobuf.message(number, content)


UNKNOWN = st.tuples(st.integers(40, 299), st.one_of(st.binary(max_size=8), st.integers(0, 2**63 - 1)))


@pytest.mark.parametrize("body", BODIES)
@settings(max_examples=12)
@given(data=st.data(), inner=st.lists(UNKNOWN, max_size=3), outer=st.lists(UNKNOWN, max_size=3))
def test_fields_that_nobody_knows_yet_are_skipped(
    body: str, data: st.DataObject, inner: list[tuple[int, Any]], outer: list[tuple[int, Any]]
) -> None:
    """By our generated code and by the reference, in the body and beside it."""
    values = data.draw(push(body, OURS))
    known = PushDataV3ApiWrapper(**values)
    longer = getattr(known, body).SerializeToString() + b"".join(field(*one) for one in inner)
    head = PushDataV3ApiWrapper(**{name: value for name, value in values.items() if name != body}).SerializeToString()
    number = OURS.fields_by_name[body].number
    wire = head + b"".join(field(*one) for one in outer) + venue_protobuf.message(number, longer)
    read = PushDataV3ApiWrapper.FromString(wire)
    read.DiscardUnknownFields()
    assert read == known
    assert decode_push(wire) == decode_push(known.SerializeToString())


def present(message: Message) -> dict[str, Any]:
    """What a message holds, by name, nested messages likewise."""
    return {
        line.name: [present(one) if isinstance(one, Message) else one for one in held]
        if line.is_repeated
        else present(held)
        if isinstance(held, Message)
        else held
        for line, held in message.ListFields()
    }


@pytest.mark.parametrize("body", BODIES)
@settings(max_examples=12)
@given(data=st.data())
def test_the_reference_reads_what_the_generated_code_wrote(body: str, data: st.DataObject) -> None:
    """Both generated codes: ours with every field, that of ccxt with those it knows."""
    for make, known in ((PushDataV3ApiWrapper, OURS), (Theirs, THEIRS)):
        written = make(**data.draw(push(body, known)))
        read = decode_push(written.SerializeToString())
        head = {"channel": read.channel, "symbol": read.symbol, "sendTime": read.send_time}
        expected = present(written)
        assert (read.name, read.body) == (body, expected.pop(body))
        assert head == {"channel": "", "symbol": None, "sendTime": None} | expected
