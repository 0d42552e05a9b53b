"""The driver's card: one page for the cab, made from the tables the vehicle plays from. Markdown, and HTML to print."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from html import escape
from typing import Final

from gateway.answers import BEEPS, VIBRATIONS
from gateway.core.indicators import LIGHTS, TABLE, Colour, Light
from gateway.core.words import Look, Told
from hw.patterns import Pattern
from lab.docs import driver_card_words as says
from lab.docs.driver_card_words import HEADS, TALK, Words
from lab.docs.markdown import table
from protocol.worker import Sound
from voice.cue_recipes import RECIPES

HTML: Final = "docs/driver-card.html"
_PAINT: Final = {
    Colour.OFF: "#444",
    Colour.RED: "#d22",
    Colour.GREEN: "#2a4",
    Colour.BLUE: "#26d",
    Colour.AMBER: "#fa0",
    Colour.WHITE: "#fff",
}
_STYLE: Final = """
@page { margin: 6mm }
html { font: 13px/1.25 "Noto Sans CJK KR", "Noto Sans KR", "Malgun Gothic", "Apple SD Gothic Neo", sans-serif }
body { margin: 0 auto; max-width: 56rem; color: #111 }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; border-bottom: .15rem solid #111 }
h2 { font-size: 1.02rem; margin: .55rem 0 .15rem; background: #222; color: #fff; padding: .05rem .35rem;
  print-color-adjust: exact; -webkit-print-color-adjust: exact }
h1 span, h2 span, .en { font-weight: normal; opacity: .75 }
ol { margin: .2rem 0 0 1.4rem; padding: 0 }
table { border-collapse: collapse; width: 100% }
td, th { border-bottom: 1px solid #ccc; padding: .06rem .25rem; text-align: left; vertical-align: middle }
th { font-size: .8rem; font-weight: normal }
.en { font-size: .85em }
.ko { font-weight: 600; white-space: normal }
.columns { display: grid; grid-template-columns: 1fr 1fr; column-gap: 1rem }
.events td + td { width: 4.6rem }
svg { display: block; print-color-adjust: exact; -webkit-print-color-adjust: exact }
td.sign { width: 5rem }
@media print { html { font-size: 1.5vw } }
@media (max-width: 40rem) and (not print) { .columns { display: block } }
"""


def lights() -> str:
    """The status light, for the Markdown card."""
    rows = []
    for look in Look:
        light = _light(LIGHTS[look])
        words = says.LOOKS[look]
        rows.append((light.ko, words.ko, light.en, words.en))
    return table(("불빛", "뜻", "light", "meaning"), rows)


def signals() -> str:
    """Vibrations, sounds and buzzer, for the Markdown card."""
    rows = [("진동 / vibration", words.ko, words.en) for words in says.VIBRATIONS.values()]
    for sound, words in says.SOUNDS.items():
        recipe = RECIPES[sound]
        rows.append(("소리 / sound", f"{recipe.ko}: {words.ko}", f"{recipe.en}: {words.en.lower()}"))
    rows += [("부저 / buzzer", words.ko, words.en) for words in says.BEEPS.values()]
    return table(("어디서 / where", "무엇을, 뜻", "what, and its meaning"), rows)


def events() -> str:
    """What has happened and how it is told, for the Markdown card."""
    rows = []
    for told in Told:
        row, words = TABLE[told], says.EVENTS[told]
        felt = says.VIBRATIONS[row.vibration].en.partition(":")[0] if row.vibration else ""
        heard = RECIPES[row.sound].en if row.sound else ""
        beeped = says.BEEPS[row.beep].en.partition(":")[0] if row.beep else ""
        rows.append((words.ko, words.en, felt, heard, beeped, f"{row.ko} / {row.en}" if row.ko else ""))
    return table(("무슨 일", "what has happened", "felt", "sound", "buzzer", "sentence"), rows)


def page() -> str:
    """Give the card as one HTML page without anything outside of it; A5 and A4 hold it on one side."""
    steps = "".join(f"<li>{_both(words)}</li>" for words in TALK)
    left = _section("lights", (_row(_lamp(LIGHTS[look]), says.LOOKS[look], _light(LIGHTS[look])) for look in Look))
    right = _section("vibrations", (_row(_bars(VIBRATIONS[kind]), words) for kind, words in says.VIBRATIONS.items()))
    right += _section("sounds", (_row(_contour(sound), words, _shape(sound)) for sound, words in says.SOUNDS.items()))
    right += _section("beeps", (_row(_bars(BEEPS[kind]), words) for kind, words in says.BEEPS.items()))
    title = HEADS["title"]
    return f"""<!doctype html>
<html lang="ko">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title.ko} · {title.en}</title>
<style>{_STYLE}</style>
<h1>{title.ko} <span>{title.en}</span></h1>
<h2>{_head("talk")}</h2>
<ol>{steps}</ol>
<div class="columns">
<div>
{left}</div>
<div>
{right}</div>
</div>
{_events()}</html>
"""


def _events() -> str:
    """All that happens, in two columns, but for what has no sign of its own."""
    rows = []
    for told in Told:
        row = TABLE[told]
        felt = _bars(VIBRATIONS[row.vibration]) if row.vibration else ""
        heard = _contour(row.sound) if row.sound else ""
        rows.append(f"<tr><td>{_both(says.EVENTS[told])}</td><td>{felt}</td><td>{heard}</td></tr>\n")
    half = math.ceil(len(rows) / 2)
    heads = f"<tr><th></th><th>{_both(HEADS['vibrations'])}</th><th>{_both(HEADS['sounds'])}</th></tr>\n"
    columns = (f'<table class="events">\n{heads}{"".join(part)}</table>\n' for part in (rows[:half], rows[half:]))
    return f'<h2>{_head("events")}</h2>\n<div class="columns">\n{"".join(columns)}</div>\n'


def _section(head: str, rows: Iterable[str]) -> str:
    return f"<h2>{_head(head)}</h2>\n<table>\n{''.join(rows)}</table>\n"


def _head(name: str) -> str:
    return f"{escape(HEADS[name].ko)} <span>{escape(HEADS[name].en)}</span>"


def _row(sign: str, words: Words, looks: Words | None = None) -> str:
    said = _both(words) if looks is None else f"{_both(looks)}<br>{_both(words)}"
    return f'<tr><td class="sign">{sign}</td><td>{said}</td></tr>\n'


def _both(words: Words) -> str:
    return f'<span class="ko">{escape(words.ko)}</span> <span class="en" lang="en">{escape(words.en)}</span>'


def _shape(sound: Sound) -> Words:
    recipe = RECIPES[sound]
    return Words(recipe.ko.partition(" (")[0], recipe.en.partition(".")[0].partition("!")[0])


def _light(light: Light) -> Words:
    colour = says.COLOURS[light.colour]
    if not light.on_ms:
        how = says.STEADY
    elif light.on_ms + light.off_ms <= 250:
        how = says.FLICKERS
    elif light.on_ms < light.off_ms:
        how = says.FLASHES
    elif light.on_ms > light.off_ms:
        how = says.WINKS
    else:
        how = says.SLOWLY if light.on_ms >= 800 else says.BLINKS
    return Words(f"{colour.ko} {how.ko}", f"{colour.en}, {how.en}")


def _lamp(light: Light) -> str:
    """Two seconds of the light as a strip."""
    paint, cycle = _PAINT[light.colour], light.on_ms + light.off_ms
    spans = [(at, light.on_ms) for at in range(0, 2000, cycle)] if cycle else [(0, 2000)]
    return _strip(((at, ms, 1.0) for at, ms in spans), 2000, lambda _level: paint, "#ddd")


def _bars(pattern: Pattern) -> str:
    """A second of a motor's or buzzer's pattern: as high as strong, or as the pitch."""
    spans, at = [], 0
    most = max(255, *(level for _, level in pattern.steps))
    while at < 1000:
        for ms, level in pattern.steps:
            if level and at < 1000:
                spans.append((at, min(ms, 1000 - at), level / most))
            at += ms
        if pattern.repeat_after_ms is None:
            break
        at += pattern.repeat_after_ms
    return _strip(spans, 1000, lambda _level: "#111", "#eee")


def _strip(spans: Iterable[tuple[int, int, float]], whole_ms: int, paint: Callable[[float], str], behind: str) -> str:
    parts = []
    for at, ms, level in spans:
        height = round(14 * level)
        x, width = round(at * 100 / whole_ms), max(1, round(min(ms, whole_ms - at) * 100 / whole_ms))
        parts.append(f'<rect x="{x}" y="{15 - height}" width="{width}" height="{height}" fill="{paint(level)}"/>')
    back = f'<rect y="1" width="100" height="14" fill="{behind}" stroke="#999" stroke-width=".5"/>'
    return f'<svg viewBox="0 0 100 16" width="100%" aria-hidden="true">{back}{"".join(parts)}</svg>'


def _contour(sound: Sound) -> str:
    """Pitch over half a second, as a line."""
    parts, at = [], 0

    def y(hz: int) -> float:
        return round(14 - 12 * math.log2(hz / 400) / math.log2(2000 / 400), 1)

    for tone in RECIPES[sound].tones:
        if tone.from_hz:
            x, end = at / 5, (at + tone.length_ms) / 5
            parts.append(f"M{x:g} {y(tone.from_hz):g}L{end - 1:g} {y(tone.to_hz):g}")
        at += tone.length_ms
    line = f'<path d="{"".join(parts)}" stroke="#06c" stroke-width="2.5" fill="none"/>'
    back = '<rect y="1" width="100" height="14" fill="#f4f8ff" stroke="#999" stroke-width=".5"/>'
    return f'<svg viewBox="0 0 100 16" width="100%" aria-hidden="true">{back}{line}</svg>'
