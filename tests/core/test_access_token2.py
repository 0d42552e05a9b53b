"""Agora's tokens: the official vector, what each role's token allows, and that no text whatever breaks the reader."""

from __future__ import annotations

import base64
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.tokens.access_token2 import (
    JOIN,
    PUBLISH_AUDIO,
    TOKEN_CHARS_MAX,
    AccessToken2,
    BadToken,
    build,
    parse,
    verify,
)
from service.settings import Secret

APP = "970CA35de60c44645bbae8a215061b33"
CERTIFICATE = Secret("5CFd2fd1755d40ecb72977518be15d3b")
CHANNEL = "7d72365eb983485397e3e3f9d460bdda"
UID = 2882341273
OFFICIAL = (
    "007eJxTYBBbsMMnKq7p9Hf/HcIX5kce9b518kCiQgSr5Zrp4X1Tu6UUGCzNDZwdjU1TUs0Mkk1MzExMk5ISUy0SjQxNDcwMk4yN3b8IMEQwMTAwMoAw"
    "BIL4CgzmKeZGxmamqUmWFsYmFqbGluapxqnGaZYpJmYGSSkpiVwMRhYWRsYmhkbmxgDCaiTj"
)


def make(
    app: str = APP,
    channel: str = CHANNEL,
    uid: int = UID,
    publisher: bool = False,
    expire_s: int = 600,
    issued_at_s: int = 1_111_111,
    salt: int = 1,
    certificate: Secret = CERTIFICATE,
) -> str:
    return build(
        app, certificate, channel, uid, publisher=publisher, expire_s=expire_s, issued_at_s=issued_at_s, salt=salt
    )


def unpacked(token: str) -> bytes:
    return zlib.decompress(base64.b64decode(token[3:]))


def wrapped(data: bytes) -> str:
    return "007" + base64.b64encode(zlib.compress(data)).decode()


def test_the_official_vector_is_built_byte_for_byte() -> None:
    assert unpacked(make()) == unpacked(OFFICIAL)


def test_the_official_vector_is_read_and_its_signature_holds() -> None:
    token = parse(OFFICIAL)

    assert (token.app_id, token.issued_at_s, token.expire_s, token.salt) == (APP, 1_111_111, 600, 1)
    assert (token.channel, token.uid, token.privileges) == (CHANNEL, UID, {JOIN: 600})
    assert verify(OFFICIAL, CERTIFICATE)
    assert not verify(OFFICIAL, Secret("0" * 32))


def test_a_member_may_join_and_speak_and_a_listener_may_only_join() -> None:
    speaks, listens = parse(make(publisher=True)), parse(make(publisher=False))

    assert (speaks.privileges, speaks.publisher) == ({JOIN: 600, PUBLISH_AUDIO: 600}, True)
    assert (listens.privileges, listens.publisher) == ({JOIN: 600}, False)


def test_a_listeners_token_made_into_a_speakers_is_no_token() -> None:
    listens = parse(make(publisher=False))
    forged = listens.body.replace(struct.pack("<HHHI", 1, 1, 1, 600), struct.pack("<HHHIHI", 1, 2, 1, 600, 2, 600))
    token = wrapped(struct.pack("<H", 32) + listens.signature + forged)

    assert parse(token).publisher
    assert not verify(token, CERTIFICATE)


@settings(max_examples=200, deadline=None)
@given(
    channel=st.text("abcXYZ019 !#$%&()+-:;<=.>?@[]^_{}|~,", min_size=1, max_size=63),
    uid=st.integers(1, 2**32 - 1),
    publisher=st.booleans(),
    expire_s=st.integers(1, 86_400),
    issued_at_s=st.integers(1, 2**32 - 1 - 86_400),
    salt=st.integers(1, 2**32 - 1),
)
def test_every_token_reads_back_as_what_it_was_built_of(
    channel: str, uid: int, publisher: bool, expire_s: int, issued_at_s: int, salt: int
) -> None:
    token = make(APP, channel, uid, publisher, expire_s, issued_at_s, salt)
    read = parse(token)

    assert (read.channel, read.uid, read.publisher, read.expire_s) == (channel, uid, publisher, expire_s)
    assert (read.issued_at_s, read.salt) == (issued_at_s, salt)
    assert verify(token, CERTIFICATE)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"app": "970CA35de60c44645bbae8a215061b3"}, "app id"),
        ({"app": APP + "\n"}, "app id"),
        ({"channel": ""}, "channel"),
        ({"channel": "a" * 64}, "channel"),
        ({"channel": "seoul/hq"}, "channel"),
        ({"channel": "서울"}, "channel"),
        ({"uid": 0}, "uid"),
        ({"uid": 2**32}, "uid"),
        ({"uid": -1}, "uid"),
        ({"expire_s": 0}, "expire_s"),
        ({"expire_s": 86_401}, "expire_s"),
        ({"issued_at_s": 0}, "issued_at_s"),
        ({"issued_at_s": 2**32 - 1}, "issued_at_s"),
        ({"salt": 0}, "salt"),
        ({"salt": 2**32}, "salt"),
        ({"certificate": Secret("5CFd2fd1755d40ecb72977518be15d3")}, "certificate"),
    ],
)
def test_what_agora_would_not_take_is_refused_by_name(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named) as caught:
        make(**wrong)  # type: ignore[arg-type]
    assert "5CFd2fd1755d40ecb72977518be15d3" not in str(caught.value)


def with_uid(uid: str) -> str:
    body = parse(OFFICIAL).body
    at = body.index(str(UID).encode()) - 2
    return wrapped(struct.pack("<H", 32) + bytes(32) + body[:at] + struct.pack("<H", len(uid.encode())) + uid.encode())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "begin with 007"),
        ("006" + OFFICIAL[3:], "begin with 007"),
        ("007" + "A" * TOKEN_CHARS_MAX, "over 2048"),
        ("007!!!!", "base64"),
        ("007é", "base64"),
        ("007AAAA", "unpacked"),
        (OFFICIAL[:-8], "cut off"),
        (wrapped(bytes(100_000)), "too long"),
        (wrapped(b""), "too early"),
        (wrapped(b"\x05\x00short"), "signature has 5 bytes"),
        (wrapped(unpacked(OFFICIAL)[:-1]), "too early"),
        (wrapped(unpacked(OFFICIAL) + b"x"), "follows its end"),
        (wrapped(unpacked(OFFICIAL).replace(b"970CA", b"\xff\xfe\xfd\xfc\xfb")), "not UTF-8"),
        (with_uid("NaN"), "uid"),
        (with_uid("12abc"), "uid"),
        (with_uid("4294967296"), "uid"),
        (with_uid("012"), "uid"),
        (with_uid("٣"), "uid"),
    ],
)
def test_a_text_that_is_no_token_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(BadToken, match=why):
        parse(text)
    assert not verify(text, CERTIFICATE)


def test_an_empty_uid_stands_for_anybody_and_is_never_built() -> None:
    assert parse(with_uid("")).uid == 0


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_no_content_whatever_makes_the_reader_fail_otherwise(data: bytes) -> None:
    """A random body behind a right signature's length: parse gives a token or BadToken, nothing else."""
    try:
        found: AccessToken2 | None = parse(wrapped(struct.pack("<H", 32) + bytes(32) + data))
    except BadToken:
        found = None
    assert found is None or found.body == data


def test_a_token_shows_neither_signature_nor_certificate() -> None:
    token = parse(OFFICIAL)

    assert token.signature.hex() not in repr(token)
    assert repr(token) == f"AccessToken2(channel='{CHANNEL}', uid={UID}, publisher=False)"
