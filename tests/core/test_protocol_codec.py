"""Bytes to messages and back: round trips, limits, and input that must stay harmless."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.docs.examples import EXAMPLES
from protocol.codec import CARRIES, PAYLOAD_BYTES_MAX, ROSTER_BYTES_MAX, Malformed, decode, encode
from protocol.ids import JSON_INT_MAX
from protocol.messages import (
    DenyCause,
    FloorDeny,
    FloorRelease,
    FloorRenew,
    FloorRequest,
    Message,
    Presence,
    PresenceState,
    Priority,
    Roster,
    RosterMember,
)
from protocol.topics import Kind

counts = st.integers(0, JSON_INT_MAX)
ids = st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}", fullmatch=True)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=64)
requests = st.tuples(counts, counts, counts, counts)
messages = st.one_of(
    st.builds(FloorRequest, request_id=requests, priority=st.sampled_from(Priority)),
    st.builds(FloorRenew, burst=counts, renew_no=counts),
    st.builds(
        FloorRelease,
        request_id=requests,
        burst=st.none() | counts,
        last_seq=st.none() | st.integers(0, 2**32 - 1),
    ),
)
denials = st.builds(
    FloorDeny,
    rev=counts,
    request_id=requests,
    cause=st.sampled_from(DenyCause),
    speaker=st.none() | ids,
    speaker_name=st.none() | names,
    remaining_s=st.none() | st.floats(0, 86_400),
)
presences = st.builds(
    Presence,
    state=st.sampled_from(PresenceState),
    connection_id=st.tuples(counts, counts, counts),
    presence_no=counts,
    name=st.none() | names,
)


def kind_of(message: Message) -> Kind:
    """The first kind of topic that carries it."""
    tag = message.__struct_config__.tag
    return next(kind for kind, tags in CARRIES.items() if tag in tags)


def request(**changes: Any) -> bytes:
    return json.dumps({"type": "floor_request", "request_id": [0, 1, 1, 1], **changes}).encode()


@given(messages | denials | presences)
def test_what_was_encoded_decodes_to_the_same(message: Message) -> None:
    assert decode(encode(message), kind_of(message)) == message


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda m: str(m.__struct_config__.tag))
def test_every_message_has_topics_and_no_other_topic_takes_it(message: Message) -> None:
    # given where it belongs
    tag = str(message.__struct_config__.tag)
    home = {kind for kind, tags in CARRIES.items() if tag in tags}
    assert home

    # then it is read there
    assert {kind for kind in home if decode(encode(message), kind) == message} == home

    # and malformed everywhere else
    for kind in set(Kind) - home:
        with pytest.raises(Malformed, match="does not belong"):
            decode(encode(message), kind)


def test_every_message_has_an_example() -> None:
    every = {cls.__struct_config__.tag for cls in msgspec.inspect.type_info(Message).types for cls in [cls.cls]}
    assert {example.__struct_config__.tag for example in EXAMPLES} == every


def test_unknown_fields_are_ignored() -> None:
    assert decode(request(colour="blue", deeper={"a": [1]}), Kind.FLOOR) == FloorRequest(request_id=(0, 1, 1, 1))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b'"floor_request"',
        b"{",
        b"{}",
        b'{"type": 7}',
        b'{"type": "floor_dance"}',
        b'{"type": "floor_request"}',
        b"\xff\xfe\x00",
        b'{"type": "floor_request", "request_id": [0, 1, 1, 1]} trailing',
        b"[" * 4000,
        b'{"type":"floor_request","request_id":' + b"[" * 2000 + b"]" * 2000 + b"}",
        request(request_id=[0, 1, 1]),
        request(request_id=[0, 1, 1, 1, 1]),
        request(request_id=[0, 1, 1, -1]),
        request(request_id=[0, 1, 1, 2**53]),
        request(request_id=[0, 1, 1, 1.5]),
        request(request_id="0,1,1,1"),
        request(priority="divine"),
        request(priority=None),
        b'{"type": "floor_request", "request_id": [0, 1, 1, NaN]}',
        b'{"type": "floor_request", "request_id": [0, 1, 1, 1e400]}',
    ],
)
def test_malformed_payloads_are_refused_in_few_words(payload: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        decode(payload, Kind.FLOOR)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("bad", ["a/b", "Car-1", "", "a" * 33, "car-1\n", "+"])
def test_an_id_inside_a_message_is_checked_like_one_in_a_topic(bad: str) -> None:
    payload = {"type": "floor_deny", "rev": 1, "request_id": [0, 1, 1, 1], "cause": "other", "speaker": bad}
    with pytest.raises(Malformed):
        decode(json.dumps(payload).encode(), Kind.REPLY)


@given(st.binary(max_size=300), st.sampled_from(Kind))
def test_no_bytes_make_decode_raise_anything_but_malformed(payload: bytes, kind: Kind) -> None:
    with pytest.raises(Malformed):
        decode(payload, kind)


def test_a_payload_at_the_limit_is_read_and_one_byte_more_is_not() -> None:
    # given a request padded with an unknown field to the very limit
    bare = len(request(pad=""))
    at_limit = request(pad="x" * (PAYLOAD_BYTES_MAX - bare))
    assert len(at_limit) == PAYLOAD_BYTES_MAX

    # then it is read, and a longer one is not looked into
    assert decode(at_limit, Kind.FLOOR) == FloorRequest(request_id=(0, 1, 1, 1))
    with pytest.raises(Malformed, match="the limit is 4096"):
        decode(at_limit + b" ", Kind.FLOOR)


def test_a_roster_of_500_members_with_long_names_fits_its_own_limit() -> None:
    members = tuple(
        RosterMember(user=f"{n:032d}", state=PresenceState.ONLINE, name="가" * 64, in_channel=True) for n in range(500)
    )
    payload = encode(Roster(participants=500, members=members))
    assert PAYLOAD_BYTES_MAX < len(payload) <= ROSTER_BYTES_MAX
    assert decode(payload, Kind.ROSTER) == Roster(participants=500, members=members)


def test_names_keep_their_hangul() -> None:
    deny = FloorDeny(rev=1, request_id=(0, 1, 1, 1), cause=DenyCause.OTHER, speaker_name="1호차")
    assert "1호차".encode() in encode(deny)


def test_priorities_rank_as_the_rules_have_them() -> None:
    assert Priority.NORMAL.rank < Priority.HIGH.rank < Priority.EMERGENCY.rank
