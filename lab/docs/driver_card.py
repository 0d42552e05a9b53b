"""The driver's card: one page for the cab, made from the tables the vehicle plays from. Markdown, and HTML to print.

What is felt and heard is on it once, with all that it may mean below it: fifty events share a dozen signs.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final

from gateway.answers import BEEPS, VIBRATIONS
from gateway.core.indicators import LIGHTS, TABLE, Light, Vibration
from gateway.core.told import Told
from gateway.core.words import Look
from lab.docs import driver_card_words as says
from lab.docs.driver_card_signs import bars, contour, lamp
from lab.docs.driver_card_words import EMERGENCY, HEADS, OTHERS, TALK, Words
from lab.docs.markdown import table
from protocol.worker import Sound
from voice.cue_recipes import RECIPES

HTML: Final = "docs/driver-card.html"
_STYLE: Final = """
@page { size: A4; margin: 6mm }
html { font-size: 13px; line-height: 1.2; font-family: "Noto Sans CJK KR", "Noto Sans KR",
  "Malgun Gothic", "Apple SD Gothic Neo", NanumGothic, sans-serif }
body { margin: 0 auto; max-width: 60rem; color: #111; word-break: keep-all; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; line-height: 1.1 }
h2 { font-size: 1.1rem; margin: .45rem 0 .15rem; background: #222; color: #fff; padding: .1rem .4rem;
  break-after: avoid }
h1 span, h2 span, .en { font-weight: normal }
h2, svg, .urgent { print-color-adjust: exact; -webkit-print-color-adjust: exact }
.en { font-size: .9rem; color: #333; word-break: normal; display: inline-block }
.shape { font-size: .9rem; color: #333 }
.ko { font-weight: 700 }
ol, ul { margin: .1rem 0 .3rem 1.1rem; padding: 0 }
ul { list-style: "– "; margin-left: .9rem }
li { margin-bottom: .12rem; break-inside: avoid }
table { border-collapse: collapse; width: 100% }
tr { break-inside: avoid }
td { border-bottom: 1px solid #bbb; padding: .08rem 0; vertical-align: middle }
td.sign { width: 2.9rem; padding-right: .4rem }
.felt { break-after: avoid }
.felt td { border-bottom: 1.5px solid #111 }
svg { display: block }
.columns { columns: 3; column-gap: .9rem }
.columns > h2:first-child { margin-top: 0 }
.urgent { border: .2rem solid #c11; padding: 0 .5rem .2rem; margin-bottom: .4rem }
.urgent h2 { background: #c11; margin: 0 -.5rem .2rem }
.urgent .ko, .urgent .en { display: block }
.side { display: grid; grid-template-columns: repeat(3, 1fr); column-gap: 1.8rem }
@media print { html { font-size: 8pt } }
@media (max-width: 50rem) and (not print) { .columns { columns: 1 } .side { display: block } }
"""


def lights() -> str:
    """The status light, for the Markdown card."""
    rows = []
    for look in Look:
        light = _light(LIGHTS[look])
        words = says.LOOKS[look]
        rows.append((light.ko, words.ko, light.en, words.en))
    return table(("불빛", "뜻", "light", "meaning"), rows)


def sounds() -> dict[Sound, Words]:
    """Give the sounds that something is told by: a driver waits in vain for one that nothing plays."""
    played = {row.sound for row in TABLE.values()}
    return {sound: words for sound, words in says.SOUNDS.items() if sound in played}


def signals() -> str:
    """Vibrations, sounds and buzzer, for the Markdown card."""
    rows = [("진동 / vibration", words.ko, words.en) for words in says.VIBRATIONS.values()]
    for sound, words in sounds().items():
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
    """Give the card as one HTML page without anything outside of it; A4 holds it on one side."""
    seen = _section("lights", (_row(lamp(LIGHTS[look]), says.LOOKS[look], _light(LIGHTS[look])) for look in Look))
    heard = _section("sounds", (_row(contour(sound), words, _shape(sound)) for sound, words in sounds().items()))
    beeped = _section("beeps", (_row(bars(BEEPS[kind]), words) for kind, words in says.BEEPS.items()))
    title = HEADS["title"]
    return f"""<!doctype html>
<html lang="ko">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title.ko} · {title.en}</title>
<style>{_STYLE}</style>
<h1>{title.ko} <span>{title.en}</span></h1>
<div class="urgent">
<h2>{_head("emergency")}</h2>
{_steps(EMERGENCY, "side")}</div>
<div class="columns">
<h2>{_head("talk")}</h2>
{_steps(TALK)}<h2>{_head("others")}</h2>
{_steps(OTHERS)}{seen}{heard}{beeped}<h2>{_head("events")}</h2>
{events_by_sign()}</div>
</html>
"""


def events_by_sign() -> str:
    """The vibrations, and below each what it may mean; then what is said without one."""
    parts = []
    for vibration, tolds in grouped().items():
        if vibration is None and not tolds:
            continue
        shown = _row(bars(VIBRATIONS[vibration]), says.VIBRATIONS[vibration]) if vibration else _row("", says.SAID_ONLY)
        items = "".join(f"<li>{_both(says.EVENTS[told])}</li>\n" for told in tolds)
        parts.append(f'<table class="felt">{shown}</table>\n' + (f"<ul>{items}</ul>\n" if items else ""))
    return "".join(parts)


def grouped() -> dict[Vibration | None, list[Told]]:
    """Give what happens by what is felt of it, emergencies first; without what the card says elsewhere."""
    groups: dict[Vibration | None, list[Told]] = {vibration: [] for vibration in (*Vibration, None)}
    for told in sorted(Told, key=lambda told: not told.name.startswith("EMERGENCY")):
        if told not in says.SAID_ELSEWHERE:
            groups[TABLE[told].vibration].append(told)
    return groups


def _steps(steps: Iterable[Words], kind: str = "") -> str:
    return f'<ol class="{kind}">{"".join(f"<li>{_both(words)}</li>" for words in steps)}</ol>\n'


def _section(head: str, rows: Iterable[str]) -> str:
    return f"<h2>{_head(head)}</h2>\n<table>\n{''.join(rows)}</table>\n"


def _head(name: str) -> str:
    return f"{escape(HEADS[name].ko)} <span>{escape(HEADS[name].en)}</span>"


def _row(sign: str, words: Words, looks: Words | None = None) -> str:
    shape = f'<div class="shape">{escape(looks.ko)} · {escape(looks.en)}</div>' if looks else ""
    return f'<tr><td class="sign">{sign}</td><td>{shape}{_both(words)}</td></tr>\n'


def _both(words: Words) -> str:
    """Korean, and English behind it where there is room, else on a line of its own."""
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
    elif light.off_ms >= 20 * light.on_ms:
        how = says.SELDOM
    elif light.on_ms < light.off_ms:
        how = says.FLASHES
    elif light.on_ms > light.off_ms:
        how = says.WINKS
    else:
        how = says.SLOWLY if light.on_ms >= 800 else says.BLINKS
    return Words(f"{colour.ko} {how.ko}", f"{colour.en}, {how.en}")
