"""The one-time enrolment code: what a technician types or scans, and what it proves.

Forty characters of Crockford's base 32 in eight groups of five: 16 are the secret (80 bits), 20 the beginning of the
SHA-256 of the office's CA certificate in DER (100 bits), 4 a checksum that finds typing errors before anything is sent.
So the device knows the true server from the code alone, and the server never sees a mistyped code.
"""

import hashlib

from msgspec import Struct

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SECRET_CHARS, CA_CHARS, CHECK_CHARS, GROUP_CHARS = 16, 20, 4, 5
_CHARS = SECRET_CHARS + CA_CHARS + CHECK_CHARS
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": "", "_": ""})


class BadCode(ValueError):
    """A text that is no enrolment code; says what is wrong with it, never the code itself."""


class EnrolCode(Struct, frozen=True):
    """A code taken apart. `repr` hides the secret."""

    secret: str
    ca: str

    def __repr__(self) -> str:
        """Show which CA it is for."""
        return f"EnrolCode(secret=***, ca={self.ca!r})"

    def text(self) -> str:
        """Give the form for people: `ABCDE-FGHJK-...`."""
        body = self.secret + self.ca
        whole = body + _check(body)
        return "-".join(whole[at : at + GROUP_CHARS] for at in range(0, _CHARS, GROUP_CHARS))


def new_code(entropy: bytes, ca_der: bytes) -> EnrolCode:
    """Make a code from 10 random bytes and the CA's certificate; raises ValueError for another number of bytes."""
    if len(entropy) != SECRET_CHARS * 5 // 8:
        raise ValueError(f"{len(entropy)} bytes of entropy: {SECRET_CHARS * 5 // 8} are needed")
    return EnrolCode(_base32(entropy), ca_mark(ca_der))


def ca_mark(ca_der: bytes) -> str:
    """Give the part of a code that stands for a CA certificate."""
    return _base32(hashlib.sha256(ca_der).digest())[:CA_CHARS]


def parse_code(text: str) -> EnrolCode:
    """Read what somebody typed: case, hyphens and blanks do not matter, O is 0, I and L are 1. Raises BadCode."""
    plain = text.strip().upper().translate(_READ_AS)
    wrong = sorted({letter for letter in plain if letter not in ALPHABET})
    if wrong:
        raise BadCode(f"the code holds {' '.join(map(repr, wrong[:5]))}: letters (without U) and digits only")
    if len(plain) != _CHARS:
        raise BadCode(f"the code has {len(plain)} letters and digits: it must be {_CHARS}, 8 groups of 5")
    body, check = plain[:-CHECK_CHARS], plain[-CHECK_CHARS:]
    if _check(body) != check:
        raise BadCode("the code was mistyped: its checksum does not fit, compare it group by group")
    return EnrolCode(body[:SECRET_CHARS], body[SECRET_CHARS:])


def _check(body: str) -> str:
    return _base32(hashlib.sha256(b"ptt-enrol" + body.encode()).digest())[:CHECK_CHARS]


def _base32(data: bytes) -> str:
    number, bits = int.from_bytes(data, "big"), len(data) * 8
    return "".join(ALPHABET[number >> shift & 31] for shift in range(bits - 5, -1, -5))
