"""Names as a voice can say them. A name is what somebody typed: any script, any length, or none at all."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

NAME_MAX: Final = 24
"""Characters of a name that are spoken; a longer one ends behind its last whole word."""
_SOMEBODY: Final = {"ko": "동료", "en": "A colleague"}
_WORDS: Final = {"ko": ((re.compile(r"(?<![a-z])ptt(?![a-z])", re.IGNORECASE), "피티티"),), "en": ()}
"""Words that the voice of a language says wrongly, and how they are written for it."""
_SCRIPTS: Final = ("HANGUL", "LATIN")
"""What both voices can read: each changes to the other's for a word in its script, and spells out all others."""


def spoken_name(name: str, lang: str) -> str:
    """Give a name fit for a sentence in `ko` or `en`; one that the voice cannot read is a colleague's."""
    text = unicodedata.normalize("NFKC", name)
    text = "".join(character if _readable(character) else " " for character in text)
    text = _short(" ".join(text.split()))
    for wrong, right in _WORDS[lang]:
        text = wrong.sub(right, text)
    return text if any(character.isalnum() for character in text) else _SOMEBODY[lang]


def _readable(character: str) -> bool:
    if character in "-.'" or character in "0123456789":
        return True
    return character.isalpha() and unicodedata.name(character, "").startswith(_SCRIPTS)


def _short(text: str) -> str:
    if len(text) <= NAME_MAX:
        return text
    whole = text[: NAME_MAX + 1].rpartition(" ")[0]
    return whole or text[:NAME_MAX]


def spoken_ago(ago_s: float, lang: str) -> str:
    """Say how long ago something was in `ko` or `en`, as roughly as one would."""
    if ago_s < 20:
        return "방금 전" if lang == "ko" else "just now"
    if ago_s < 55:
        count, ko, en = 10 * round(ago_s / 10), "초", "second"
    elif ago_s < 3570:
        count, ko, en = round(ago_s / 60), "분", "minute"
    else:
        count, ko, en = round(ago_s / 3600), "시간", "hour"
    return f"{count}{ko} 전" if lang == "ko" else f"{count} {en}{'' if count == 1 else 's'} ago"
