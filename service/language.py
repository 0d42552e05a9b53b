"""The language in which a person is spoken to."""

from collections.abc import Mapping


def language_of(environ: Mapping[str, str]) -> str:
    """Give `ko` or `en` by LC_ALL, LC_MESSAGES or LANG, the first that is set (locale(7)): Korean, else English."""
    locale = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    return "ko" if locale.lower().startswith("ko") else "en"
