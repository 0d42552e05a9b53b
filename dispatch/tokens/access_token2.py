"""Agora's AccessToken2 ("007"): built, read and checked. The layout is in docs/rest.md.

`"007" + base64(zlib(pack(signature) + body))`, all numbers little-endian, `pack` a length of 16 bits before the bytes.
The signature is HMAC-SHA256 of the body under a key that certificate, time of issue and salt give. Source of the
format: Agora's public token builders (AccessToken2); the official vector is in the tests.
"""

import base64
import binascii
import hmac
import re
import struct
import zlib
from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

VERSION = "007"
RTC = 1
"""The one service these tokens speak of: voice and video channels."""
JOIN, PUBLISH_AUDIO, PUBLISH_VIDEO, PUBLISH_DATA = 1, 2, 3, 4
"""Privileges of RTC."""
EXPIRE_MAX_S = 86_400
"""Agora honours no token longer than a day."""
TOKEN_CHARS_MAX = 2048
"""The longest text `parse` looks at; ours have about 200."""
U32_MAX = 2**32 - 1
_BODY_BYTES_MAX = 4096
_HEX32 = re.compile(r"[0-9a-fA-F]{32}\Z")
_CHANNEL = re.compile(r"[a-zA-Z0-9 !#$%&()+\-:;<=.>?@\[\]^_{}|~,]{1,63}\Z")
_SIGNATURE_BYTES = 32


class Certificate(Protocol):
    """An app certificate that shows itself only when asked (`service.settings.Secret`)."""

    def reveal(self) -> str:
        """Give its 32 hexadecimal digits."""


class BadToken(ValueError):
    """A text that is no AccessToken2 for a channel; says why, never the token."""


class AccessToken2(Struct, frozen=True, kw_only=True):
    """A token taken apart. Nothing in it was checked against a certificate: `verify` does that."""

    app_id: str
    issued_at_s: int
    """Unix time."""
    expire_s: int
    """Seconds after `issued_at_s`."""
    salt: int
    channel: str
    uid: int
    """0 stands for any."""
    privileges: Mapping[int, int]
    """Privilege → seconds after `issued_at_s` that it holds; 0 is for as long as the token."""
    signature: bytes
    body: bytes
    """What is signed."""

    @property
    def publisher(self) -> bool:
        """Whether it lets its bearer speak."""
        return PUBLISH_AUDIO in self.privileges

    def __repr__(self) -> str:
        """Show what it is for; its signature is worth as much as the token."""
        return f"AccessToken2(channel={self.channel!r}, uid={self.uid}, publisher={self.publisher})"


def build(
    app_id: str,
    certificate: Certificate,
    channel: str,
    uid: int,
    *,
    publisher: bool,
    expire_s: int,
    issued_at_s: int,
    salt: int,
) -> str:
    """Give a token with which `uid` may join `channel` for `expire_s` (1 to 86,400), and speak there if `publisher`.

    `uid` 1 to 2**32-1 (0 would stand for anybody), `issued_at_s` Unix time, `salt` random, 1 to 2**32-1. Raises
    ValueError, naming what is out of range and never the certificate.
    """
    if not _HEX32.match(app_id):
        raise ValueError("the Agora app id is not 32 hexadecimal digits")
    if not _CHANNEL.match(channel):
        raise ValueError("the channel name is not 1 to 63 of the letters, digits and signs that Agora allows")
    _within("uid", uid, 1, U32_MAX)
    _within("expire_s", expire_s, 1, EXPIRE_MAX_S)
    _within("issued_at_s", issued_at_s, 1, U32_MAX - EXPIRE_MAX_S)
    _within("salt", salt, 1, U32_MAX)
    granted = (JOIN, PUBLISH_AUDIO) if publisher else (JOIN,)
    privileges = b"".join(struct.pack("<HI", privilege, expire_s) for privilege in granted)
    body = b"".join(
        (
            _pack(app_id.encode()),
            struct.pack("<IIIH", issued_at_s, expire_s, salt, 1),
            struct.pack("<HH", RTC, len(granted)),
            privileges,
            _pack(channel.encode()),
            _pack(str(uid).encode()),
        )
    )
    signature = _sign(body, certificate, issued_at_s, salt)
    return VERSION + base64.b64encode(zlib.compress(_pack(signature) + body)).decode()


def parse(token: str) -> AccessToken2:
    """Take a token of one RTC service apart; raises BadToken. Bounded in time and memory for any text."""
    signed = _Reader(_unwrapped(token))
    signature = signed.packed()
    if len(signature) != _SIGNATURE_BYTES:
        raise BadToken(f"its signature has {len(signature)} bytes instead of {_SIGNATURE_BYTES}")
    body = signed.rest()
    reader = _Reader(body)
    app_id = reader.text()
    issued_at_s, expire_s, salt = reader.number("<I"), reader.number("<I"), reader.number("<I")
    services, kind = reader.number("<H"), reader.number("<H")
    if (services, kind) != (1, RTC):
        raise BadToken(f"it has {services} services, the first of type {kind}: one of type {RTC} is read here")
    privileges: dict[int, int] = {}
    for _ in range(reader.number("<H")):
        privilege = reader.number("<H")
        privileges[privilege] = reader.number("<I")
    channel, uid = reader.text(), reader.text()
    if reader.rest():
        raise BadToken("something follows its end")
    if uid and not (uid.isascii() and uid.isdecimal() and int(uid) <= U32_MAX and str(int(uid)) == uid):
        raise BadToken("its uid is no number of 32 bits")
    return AccessToken2(
        app_id=app_id,
        issued_at_s=issued_at_s,
        expire_s=expire_s,
        salt=salt,
        channel=channel,
        uid=int(uid or 0),
        privileges=privileges,
        signature=signature,
        body=body,
    )


def verify(token: str, certificate: Certificate) -> bool:
    """Whether `token` can be read and was signed with `certificate`; whether it has expired is not looked at."""
    try:
        read = parse(token)
    except BadToken:
        return False
    return hmac.compare_digest(read.signature, _sign(read.body, certificate, read.issued_at_s, read.salt))


def _sign(body: bytes, certificate: Certificate, issued_at_s: int, salt: int) -> bytes:
    secret = certificate.reveal()
    if not _HEX32.match(secret):
        raise ValueError("the Agora app certificate is not 32 hexadecimal digits")
    by_time = hmac.digest(struct.pack("<I", issued_at_s), secret.encode(), "sha256")
    key = hmac.digest(struct.pack("<I", salt), by_time, "sha256")
    return hmac.digest(key, body, "sha256")


def _within(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name} is {value}: it must be from {least} to {most}")


def _pack(data: bytes) -> bytes:
    return struct.pack("<H", len(data)) + data


def _unwrapped(token: str) -> bytes:
    if not token.startswith(VERSION):
        raise BadToken(f"it does not begin with {VERSION}")
    if len(token) > TOKEN_CHARS_MAX:
        raise BadToken(f"it has over {TOKEN_CHARS_MAX} characters")
    try:
        packed = base64.b64decode(token[len(VERSION) :], validate=True)
    except (binascii.Error, ValueError):
        raise BadToken("its rest is not base64") from None
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(packed, _BODY_BYTES_MAX)
    except zlib.error:
        raise BadToken("its content cannot be unpacked") from None
    if not unpacker.eof or unpacker.unused_data:
        raise BadToken("its content is cut off, too long, or followed by something")
    return data


class _Reader:
    """Reads one field after the other; raises BadToken at the end of the data."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, form: str) -> int:
        number: int = struct.unpack(form, self._take(struct.calcsize(form)))[0]
        return number

    def packed(self) -> bytes:
        return self._take(self.number("<H"))

    def text(self) -> str:
        try:
            return self.packed().decode()
        except UnicodeDecodeError:
            raise BadToken("a text in it is not UTF-8") from None

    def rest(self) -> bytes:
        return self._take(len(self._data) - self._at)

    def _take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) != count:
            raise BadToken("it ends too early")
        self._at += count
        return taken
