"""`ptt-gateway levels`: a live meter for the microphone, and the levels of microphone and speaker.

Exit status: 0 done; 1 nothing is measured, the levels are not saved, or the tone was not heard; 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from gateway.levels_texts import EN, KO, LevelsTexts
from gateway.status_client import Refused, Unreachable, ask_levels
from protocol.worker import GAIN_DB_MAX

EVERY_S = 0.1
LINE_EVERY_S = 1.0
"""A line so often where nobody watches a terminal."""
SECONDS_UNWATCHED = 5.0
TONE_LISTEN_S = 2.5
FLOOR_LISTEN_S = 1.0
TONE_OVER_DB = 6.0
TONE_OF_ALL_DB = -6.0
"""Where it sounds, the tone is so much of all that is heard, at least: what is said at 1 kHz is far less."""
TONE_WINDOWS_MIN = 4
"""It sounds for a second: ten windows of the meter, of which so many must have it."""
BAR = 30
BAR_FROM_DB = -60.0

Ask = Callable[[Mapping[str, Any]], dict[str, Any]]


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add the command `levels` to argparse's sub-parsers."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "levels",
        parents=parents,
        help="show how loud the microphone is, live; set microphone and speaker, for good",
        description="Without an option: a live meter. The running daemon is asked for it; where none runs, the sound "
        "devices are opened. Nothing here transmits.",
    )
    parser.add_argument("--mic", type=decibels, metavar="DB", help="set the microphone's level, -20 to +20 dB")
    parser.add_argument("--speaker", type=decibels, metavar="DB", help="set the speaker's level, -20 to +20 dB")
    parser.add_argument("--test", action="store_true", help="play a tone and say what the microphone hears of it")
    parser.add_argument(
        "--seconds", type=float, metavar="S", help="end so soon (default: Ctrl-C; 5 s where no terminal watches)"
    )


def decibels(text: str) -> float:
    """Read a level; raises ValueError, which argparse tells, for what is none or out of bounds."""
    level = float(text)
    if not math.isfinite(level) or abs(level) > GAIN_DB_MAX:
        raise argparse.ArgumentTypeError(f"{text} is not between -{GAIN_DB_MAX:g} and +{GAIN_DB_MAX:g} dB")
    return level


def run(arguments: argparse.Namespace, lang: str) -> int:
    """Do what the command line asks; gives the exit status."""
    from gateway import settings
    from gateway.state_dir import StateError
    from service.settings import SettingsError

    texts = KO if lang == "ko" else EN
    try:
        configuration = settings.read_file(arguments.config)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    with ExitStack() as opened:
        try:
            ask, by_daemon = _source(configuration, configuration.status_sockets(), opened)
        except (StateError, Refused) as error:
            print(texts.cannot.format(why=error), file=sys.stderr)
            return 1
        try:
            return Session(ask, texts, as_json=arguments.json, watched=sys.stdout.isatty()).run(
                arguments, by_daemon=by_daemon
            )
        except KeyboardInterrupt:
            print()
            return 0
        except (Unreachable, Refused) as error:
            print(texts.cannot.format(why=error), file=sys.stderr)
            return 1


def _source(configuration: Any, sockets: tuple[Path, ...], opened: ExitStack) -> tuple[Ask, bool]:
    """Give whom to ask: the daemon if one answers, else the devices themselves."""
    try:
        ask_levels(sockets, {})
    except Unreachable:
        from gateway.levels_direct import Direct

        direct = Direct(configuration)
        opened.callback(direct.close)
        return direct.ask, False
    return lambda wish: ask_levels(sockets, wish), True


def _is_tone(meter: Mapping[str, Any], floor_db: float) -> bool:
    tone_db = meter["tone_db"]
    return tone_db is not None and tone_db > max(floor_db + TONE_OVER_DB, meter["rms_db"] + TONE_OF_ALL_DB)


class Session:
    """One run of the command."""

    def __init__(
        self,
        ask: Ask,
        texts: LevelsTexts,
        *,
        as_json: bool,
        watched: bool,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ask = ask
        self._texts = texts
        self._as_json = as_json
        self._watched = watched and not as_json
        self._clock = clock
        self._sleep = sleep

    def run(self, arguments: argparse.Namespace, *, by_daemon: bool) -> int:
        """Set, then test, or show the meter; gives the exit status."""
        setting = arguments.mic is not None or arguments.speaker is not None
        now = self._set(arguments.mic, arguments.speaker) if setting else self._ask({})
        if not self._as_json:
            print(self._texts.levels.format(**now))
            if arguments.test or not setting:
                print(self._texts.by_daemon if by_daemon else self._texts.by_itself)
        elif setting and not arguments.test:
            print(json.dumps(now))
        if setting and not now["saved"]:
            print(self._texts.not_saved.format(why=now["problem"]), file=sys.stderr)
            return 1
        if arguments.test:
            return self._test()
        return 0 if setting else self._watch(arguments.seconds)

    def _set(self, mic_db: float | None, speaker_db: float | None) -> dict[str, Any]:
        now = self._ask({"mic_db": mic_db, "speaker_db": speaker_db})
        until = self._clock() + 3.0
        while not now["saved"] and not now["problem"] and self._clock() < until:
            self._sleep(EVERY_S)
            now = self._ask({})
        return now

    def _watch(self, seconds: float | None) -> int:
        if seconds is None:
            seconds = math.inf if self._watched else SECONDS_UNWATCHED
        end, line_at, last, any_came = self._clock() + seconds, 0.0, 0.0, False
        while self._clock() < end:
            now = self._ask({"meter": True})
            meter = now["meter"]
            if meter is not None and meter["at"] > last:
                last, any_came = meter["at"], True
                if self._watched:
                    print(f"\r{self._line(meter)}\x1b[K", end="", flush=True)
                elif self._clock() >= line_at:
                    line_at = self._clock() + LINE_EVERY_S
                    print(json.dumps(meter) if self._as_json else self._line(meter), flush=True)
            self._sleep(EVERY_S)
        if self._watched:
            print()
        if not any_came:
            print(self._texts.nothing_measured.format(why=now["problem"]), file=sys.stderr)
        return 0 if any_came else 1

    def _test(self) -> int:
        before = self._gather({"meter": True}, FLOOR_LISTEN_S)
        during = self._gather({"tone": True}, TONE_LISTEN_S)
        tones = [meter["tone_db"] for meter in during if meter["tone_db"] is not None]
        if not before or not tones:
            print(self._texts.nothing_measured.format(why=self._ask({})["problem"]), file=sys.stderr)
            return 1
        floor_db, tone_db = min(meter["floor_db"] for meter in before), max(tones)
        heard = sum(_is_tone(meter, floor_db) for meter in during) >= TONE_WINDOWS_MIN
        if self._as_json:
            print(json.dumps({"heard": heard, "tone_db": tone_db, "floor_db": floor_db}))
        elif heard:
            print(self._texts.tone_heard.format(tone=tone_db, over=tone_db - floor_db))
        else:
            print(self._texts.tone_unheard.format(tone=tone_db, floor=floor_db))
        return 0 if heard else 1

    def _gather(self, first: Mapping[str, Any], seconds: float) -> list[dict[str, Any]]:
        """Give what is measured after the first measurement that comes, for so long; nothing where none comes."""
        found: dict[float, dict[str, Any]] = {}
        wish, end = first, self._clock() + seconds + 1.0
        while self._clock() < end:
            meter = self._ask(wish)["meter"]
            wish = {"meter": True}
            if meter is not None:
                found[meter["at"]] = meter
            if found and max(found) - min(found) >= seconds:
                break
            self._sleep(EVERY_S)
        return list(found.values())[1:]

    def _line(self, meter: Mapping[str, Any]) -> str:
        texts = self._texts
        filled = round(BAR * max(0.0, 1 - meter["rms_db"] / BAR_FROM_DB))
        marks = [texts.speech] * bool(meter["speech"])
        if meter["clipped"]:
            marks.append(texts.clipped.format(count=meter["clipped"]))
        bar = "#" * filled + "." * (BAR - filled)
        return (
            f"[{bar}] {texts.peak} {meter['peak_db']:6.1f}  {texts.loudness} {meter['rms_db']:6.1f}  "
            f"{texts.floor} {meter['floor_db']:6.1f} dBFS  {'  '.join(marks)}"
        ).rstrip()
