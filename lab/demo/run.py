"""`ptt-lab demo`: plays the story, measures it, leaves the files, and says whether it was as it must be."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from gateway.status_client import Unreachable
from hw.errors import HardwareError
from lab.broker import BrokerFailed
from lab.demo.again import until_judged
from lab.demo.checks import Check
from lab.demo.desk import lacking
from lab.demo.eyes import BrokeOff
from lab.demo.outcome import Outcome
from lab.demo.report import Report, machine
from lab.demo.script import DESK, NAMES, Script
from lab.demo.speech import NoSpeech
from lab.demo.stall_watch import StallWatch
from lab.demo.stalls import STALL_S_MIN
from lab.demo.story import Story
from lab.demo.tape import Microphone, TooLate, recordings
from lab.demo.texts import Texts
from lab.demo.timeline import Timeline
from lab.demo.verdict import Verdict, judge
from lab.demo.world import LabFailed, World
from lab.measure.sound import BadSound, Recording
from protocol.messages import VoicePath

TAPE_S = 300.0
LATE_S = 5.0
"""Where a sentence could not be laid onto its tape in time, it was the machine of the last so many seconds."""
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def main(out: Path, say: Path | None, lang: str, voice: VoicePath = VoicePath.MQTT) -> int:
    """Run the demo; gives the exit status: 0 as it must be, 1 not, 2 wrong use, 130 interrupted."""
    texts = Texts(lang)
    try:
        script = Script(say)
        make_room(out)
    except (BadSound, NoSpeech, OSError) as error:
        print(f"ptt-lab: {error}", file=sys.stderr)
        return EXIT_USAGE
    if left_out := _without_desk(texts, voice):
        _tell(left_out)
    try:
        with interruptible():
            report = until_judged(
                lambda before: _play(out, script, texts, voice, before, desk=not left_out), out, texts, _tell
            )
    except KeyboardInterrupt:
        print(texts.line("stopped"), file=sys.stderr)
        return EXIT_INTERRUPTED
    status = _say(report, out, texts)
    if left_out:
        _tell(left_out)
    return status


def _without_desk(texts: Texts, voice: VoicePath) -> str:
    """Say why the console does not take part; empty where it does."""
    if voice is VoicePath.AGORA:
        return texts.line("no_desk_agora")
    missing = lacking()
    return texts.line("no_desk", lacking=missing) if missing else ""


def make_room(out: Path) -> None:
    """Make the folder, and remove what an earlier demo left in it; nothing else is touched. Raises OSError."""
    out.mkdir(parents=True, exist_ok=True)
    for pattern in ("said-*.wav", "heard-*.wav", "report.json", "report-[0-9].json", "timeline.png"):
        for old in out.glob(pattern):
            old.unlink()
    for logs in (out / "logs", *out.glob("logs-[0-9]")):
        shutil.rmtree(logs, ignore_errors=True)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end us as Ctrl-C does: by way of everything that has to be cleaned up."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(line: str) -> None:
    print(line, flush=True)


def _play(out: Path, script: Script, texts: Texts, voice: VoicePath, before: tuple[str, ...], *, desk: bool) -> Report:
    timeline = Timeline(texts)
    try:
        return _play_along(out, script, timeline, texts, voice, before, desk=desk)
    finally:
        timeline.close()


def _play_along(
    out: Path,
    script: Script,
    timeline: Timeline,
    texts: Texts,
    voice: VoicePath,
    before: tuple[str, ...],
    *,
    desk: bool,
) -> Report:
    began_s = time.monotonic()
    problem, broken = "", None
    outcome, verdict = Outcome(), Verdict(checks=(), hearings=(), search={})
    mouths: dict[str, Recording] = {}
    ears: dict[str, Recording] = {}
    facts = machine()
    with World(out / "logs", NAMES, loop=False, cues_percent=0, lang="ko", voice=voice, desk=desk) as world:
        watch = StallWatch(world.folder / "stalls", STALL_S_MIN)
        try:
            with watch, ExitStack() as stack:
                tapes = {user: Microphone(car.tape, TAPE_S) for user, car in world.cars.items()}
                world.start()
                timeline.add(time.monotonic(), "-", "starting", port=world.office.broker_port, cars=len(NAMES))
                if world.web is not None:
                    timeline.add(time.monotonic(), DESK, "desk", origin=world.origin)
                story = Story(world, script, timeline, stack)
                outcome = story.outcome
                story.prepare()
                story.play(tapes)
        except BrokeOff as error:
            problem, broken = str(error), error.span
        except TooLate as error:
            problem, broken = str(error), (time.monotonic() - LATE_S, time.monotonic())
        except LabFailed as error:
            problem = str(error)
        except (BrokerFailed, HardwareError, Unreachable, OSError) as error:
            problem = f"{type(error).__name__}: {error}"
        timeline.close()
        world.stop()
        if not problem:
            for user, car in world.cars.items():
                mouths[user], ears[user] = recordings(car.tape, car.played)
            if world.desk is not None:
                mouths[DESK], ears[DESK] = world.desk.sound.recordings()
            verdict = judge(outcome, mouths, ears, out)
        stalls = watch.stalls
    lasted_s = time.monotonic() - began_s
    report = Report(timeline, outcome, verdict, problem, facts, lasted_s, broken=broken, stalls=stalls, before=before)
    if mouths:
        from lab.demo.picture import draw

        draw(out / "timeline.png", report, mouths, ears, texts)
    report.write(out / "report.json")
    if report.passed:
        shutil.rmtree(out / "logs", ignore_errors=True)
    return report


def _say(report: Report, out: Path, texts: Texts) -> int:
    print()
    for check in report.checks:
        print(f"  {texts.line('ok' if check.ok else 'FAILED'):6} {check.named(texts.lang)}\n         {check.detail}")
    print()
    failed: list[Check] = [check for check in report.checks if not check.ok]
    if not failed:
        print(texts.line("passed", count=len(report.checks), seconds=report.lasted_s, folder=out))
        return 0
    print(texts.line("failed", count=len(failed)), file=sys.stderr)
    for check in failed:
        print(f"  - {check.named(texts.lang)}: {check.detail}", file=sys.stderr)
        if stalls := report.stood(check):
            print(f"    {texts.line('stood', stalls=stalls)}", file=sys.stderr)
    print(texts.line("logs", folder=out / "logs"), file=sys.stderr)
    return EXIT_FAILED
