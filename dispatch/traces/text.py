"""A press as lines of text: what `ptt-dispatch trace` prints and the page of a press shows. Pure."""

from datetime import tzinfo

import msgspec

from dispatch.show import moment, printable
from dispatch.traces.tell import Told
from dispatch.traces.words import say


def lines(one: Told, user: str, lang: str, where: tzinfo) -> list[str]:
    """Give a press for people: when and what became of it, step by step, and the metrics that are known of it."""
    clock = say("error", lang, ms=one.error_ms) if one.error_ms is not None else ""
    if not one.measured:
        clock = say("own_clock", lang)
    request = ".".join(map(str, one.request))
    head = f"{moment(one.at, where)} {clock}".rstrip()
    out = [f"{head}  {user} {request}  {one.verdict}"]
    out += [f"  {ms:>+8} ms  {text}" for ms, text in one.steps]
    silent = [each.user for each in one.listeners if each.heard_ms is None and each.frames]
    if silent:
        out.append(" " * 15 + say("unheard", lang, users=", ".join(silent[:20])))
    known = [(name, value) for name, value in msgspec.structs.asdict(one.metrics).items() if value is not None]
    if known:
        parts = ", ".join(say(f"m_{name}", lang, value=value) for name, value in known)
        out.append(" " * 15 + say("metrics", lang, parts=parts))
    return [printable(line) for line in out]
