"""The levels of microphone and speaker: the core's part, the file, the desk behind the status socket, the command."""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main
from gateway.core.context import Context
from gateway.core.levels import METER_LEASE_S, SoundLevels
from gateway.core.words import CoreEvent, LevelsKept, SaveLevels, SetLevels, ToWorker, WantMeter
from gateway.levels_cli import Session, decibels
from gateway.levels_desk import LevelsDesk
from gateway.levels_file import NAME, SavedLevels, read, write
from gateway.levels_texts import EN
from protocol.worker import Cleaning, Levels, Meter, Metered

METERED = Metered(at=5.0, peak_db=-9.0, rms_db=-20.0, floor_db=-50.0, clipped=0, speech=True)


def core(mic_db: float = 0.0, speaker_db: float = 0.0) -> tuple[SoundLevels, Context]:
    ctx = Context("car-1", lambda: 0.5)
    return SoundLevels(ctx, mic_db, speaker_db), ctx


def commands(ctx: Context) -> list[Any]:
    return [effect.command if isinstance(effect, ToWorker) else effect for effect in ctx.take()]


# --- the core ---------------------------------------------------------------------------------------------------------


def test_levels_that_are_set_go_to_the_worker_and_are_saved_and_what_is_left_out_stays() -> None:
    levels, ctx = core(mic_db=3.0)
    levels.worker_ready()
    ctx.take()
    assert levels.set(SetLevels(mic_db=None, speaker_db=-4.0, by="test"))
    found = commands(ctx)
    assert Levels(mic_db=3.0, speaker_db=-4.0) in found
    assert SaveLevels(mic_db=3.0, speaker_db=-4.0) in found


@pytest.mark.parametrize("level_db", [20.1, -20.1, math.inf, math.nan])
def test_levels_out_of_bounds_change_nothing(level_db: float) -> None:
    levels, ctx = core(mic_db=3.0)
    levels.worker_ready()
    ctx.take()
    assert not levels.set(SetLevels(mic_db=level_db, speaker_db=1.0, by="test"))
    assert (levels.mic_db, levels.speaker_db) == (3.0, 0.0)
    assert not [effect for effect in commands(ctx) if isinstance(effect, Levels | SaveLevels)]


def test_every_new_worker_is_given_the_levels_unless_they_change_nothing() -> None:
    for saved, expected in ((6.0, [Levels(mic_db=6.0, speaker_db=0.0)]), (0.0, [])):
        levels, ctx = core(mic_db=saved)
        for _ in range(2):
            levels.worker_ready()
            assert commands(ctx) == expected
            levels.worker_gone()


def test_the_meter_is_a_lease_and_nothing_is_asked_of_a_worker_that_does_not_run() -> None:
    levels, ctx = core()
    levels.want_meter(WantMeter(tone=True), now=10.0)
    assert commands(ctx) == []
    levels.worker_ready()
    levels.want_meter(WantMeter(tone=True), now=10.0)
    assert commands(ctx) == [Meter(until=10.0 + METER_LEASE_S, tone=True)]


def test_what_was_measured_is_forgotten_with_the_worker_that_measured_it() -> None:
    levels, _ = core()
    levels.worker_ready()
    levels.metered(METERED)
    assert levels.meter == METERED
    levels.worker_gone()
    assert levels.meter is None


def test_noise_suppression_that_fails_is_a_trouble_until_it_works_or_a_new_worker_comes() -> None:
    levels, _ = core()
    cures: list[Callable[[], None]] = [lambda: levels.cleaning(Cleaning(ok=True)), levels.worker_ready]
    for cure in cures:
        levels.cleaning(Cleaning(ok=False, detail="it is missing"))
        assert levels.trouble == "it is missing"
        cure()
        assert levels.trouble == ""


# --- the file ---------------------------------------------------------------------------------------------------------


def test_levels_survive_in_a_file_that_is_its_owners_alone(tmp_path: Path) -> None:
    write(tmp_path, SavedLevels(mic_db=6.5, speaker_db=-3.0))
    write(tmp_path, SavedLevels(mic_db=7.5, speaker_db=-3.0))
    assert read(tmp_path) == (SavedLevels(mic_db=7.5, speaker_db=-3.0), "")
    assert os.stat(tmp_path / NAME).st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"[]", b'{"mic_db": 99}', b'{"mic_db": 1, "bass_db": 2}', b"{"])
def test_a_damaged_file_counts_as_none_and_says_how_to_mend_it(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / NAME).write_bytes(damage)
    levels, problem = read(tmp_path)
    assert levels == SavedLevels()
    assert "set them again with `ptt-gateway levels`" in problem


def test_no_file_is_no_damage(tmp_path: Path) -> None:
    assert read(tmp_path) == (SavedLevels(), "")


# --- the desk ---------------------------------------------------------------------------------------------------------


class Desk:
    """A desk whose core obeys at once."""

    def __init__(self) -> None:
        self.levels, self.ctx = core()
        self.levels.worker_ready()
        self.fed: list[CoreEvent] = []
        self.desk = LevelsDesk(self.levels, self.feed, lambda: True)

    def feed(self, event: CoreEvent) -> None:
        self.fed.append(event)
        if isinstance(event, SetLevels):
            self.levels.set(event)


def test_looking_changes_nothing_and_setting_is_answered_with_what_holds_then() -> None:
    desk = Desk()
    assert desk.desk.answer({"op": "levels"})["mic_db"] == 0.0
    assert desk.fed == []
    answer = desk.desk.answer({"op": "levels", "mic_db": 6})
    assert (answer["mic_db"], answer["speaker_db"], answer["saved"]) == (6.0, 0.0, False)
    desk.levels.kept(LevelsKept(problem="the disk is full"))
    assert (desk.desk.answer({})["saved"], desk.desk.answer({})["problem"]) == (False, "the disk is full")
    # and while they are saved anew no older trouble is told as why they are not
    desk.levels.cleaning(Cleaning(ok=False, detail="no library"))
    again = desk.desk.answer({"op": "levels", "mic_db": 6})
    assert (again["saved"], again["problem"]) == (False, "")
    desk.levels.kept(LevelsKept())
    assert (desk.desk.answer({})["saved"], desk.desk.answer({})["problem"]) == (True, "no library")


def test_the_meter_is_started_and_what_it_measured_is_given() -> None:
    desk = Desk()
    desk.levels.metered(METERED)
    assert desk.desk.answer({"meter": True})["meter"]["rms_db"] == -20.0
    assert desk.desk.answer({"tone": True})["worker"] is True
    assert desk.fed == [WantMeter(tone=False), WantMeter(tone=True)]


@pytest.mark.parametrize("nonsense", ["6", 20.5, -21, math.nan, math.inf, True, [6], {}])
def test_nonsense_as_a_level_is_refused_with_the_bounds(nonsense: object) -> None:
    desk = Desk()
    with pytest.raises(ValueError, match="-20 to 20 dB"):
        desk.desk.answer({"mic_db": nonsense})
    assert desk.fed == []


# --- the command ------------------------------------------------------------------------------------------------------


class Fake:
    """A daemon that measures whatever it is told, on a clock of its own."""

    def __init__(
        self, *, tone_db: float = -30.0, all_db: float = -29.0, measures: bool = True, problem: str = ""
    ) -> None:
        self.now = 0.0
        self.tone_until = -1.0
        self.tone_db = tone_db
        self.all_db = all_db
        self.measures = measures
        self.problem = problem
        self.state: dict[str, Any] = {"mic_db": 0.0, "speaker_db": 0.0, "saved": not problem, "problem": problem}

    def ask(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        if wish.get("tone"):
            self.tone_until = self.now + 3.0
        self.state.update({name: wish[name] for name in ("mic_db", "speaker_db") if wish.get(name) is not None})
        sounds = self.now < self.tone_until
        meter = {
            "at": round(self.now, 1),
            "peak_db": -9.0,
            "rms_db": self.all_db if sounds else -20.0,
            "floor_db": -50.0,
            "clipped": 3,
            "speech": True,
            "tone_db": self.tone_db if sounds else None,
        }
        return {**self.state, "worker": True, "meter": meter if self.measures else None}

    def run(self, *, as_json: bool = False, watched: bool = False, **options: Any) -> int:
        arguments = argparse.Namespace(**{"mic": None, "speaker": None, "test": False, "seconds": None} | options)
        session = Session(self.ask, EN, as_json=as_json, watched=watched, clock=lambda: self.now, sleep=self.sleep)
        return session.run(arguments, by_daemon=True)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_without_a_terminal_a_line_comes_each_second_for_five(capsys: pytest.CaptureFixture[str]) -> None:
    assert Fake().run() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [EN.levels.format(mic_db=0, speaker_db=0), EN.by_daemon]
    assert len(lines[2:]) == 5
    assert lines[2] == f"[{'#' * 20}{'.' * 10}] peak   -9.0  rms  -20.0  floor  -50.0 dBFS  speech  CLIPS 3"


def test_a_terminal_gets_one_line_that_lives(capsys: pytest.CaptureFixture[str]) -> None:
    assert Fake().run(watched=True, seconds=1.0) == 0
    assert capsys.readouterr().out.count("\r[") >= 9


def test_programs_get_a_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert Fake().run(as_json=True, seconds=2.5) == 0
    assert [json.loads(line)["rms_db"] for line in capsys.readouterr().out.splitlines()] == [-20.0] * 3


def test_levels_are_set_told_and_nothing_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert Fake(measures=False).run(mic=6.0, speaker=-3.0) == 0
    assert capsys.readouterr().out == "microphone +6.0 dB, speaker -3.0 dB\n"


def test_levels_that_cannot_be_saved_end_with_1_and_say_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert Fake(problem="the disk is full").run(mic=6.0) == 1
    assert "not saved: the disk is full" in capsys.readouterr().err


def test_where_nothing_is_measured_it_ends_with_1_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert Fake(measures=False, problem="the microphone is missing").run() == 1
    assert "the microphone is missing" in capsys.readouterr().err


@pytest.mark.parametrize(("tone_db", "status"), [(-30.0, 0), (-47.0, 1)])
def test_the_tone_is_heard_or_not_by_what_is_over_the_noise(
    tone_db: float, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Fake(tone_db=tone_db).run(test=True) == status
    assert (EN.tone_heard, EN.tone_unheard)[status].split(":")[0] in capsys.readouterr().out
    assert Fake(tone_db=tone_db).run(test=True, as_json=True) == status
    assert json.loads(capsys.readouterr().out) == {"heard": not status, "tone_db": tone_db, "floor_db": -50.0}


def test_whoever_talks_during_the_test_is_not_taken_for_the_tone(capsys: pytest.CaptureFixture[str]) -> None:
    assert Fake(tone_db=-30.0, all_db=-20.0).run(test=True) == 1
    assert "be silent during the test" in capsys.readouterr().out


@pytest.mark.parametrize(("text", "level_db"), [("+6", 6.0), ("-3", -3.0), ("20", 20.0), ("0", 0.0)])
def test_levels_are_read_as_people_write_them(text: str, level_db: float) -> None:
    assert decibels(text) == level_db


@pytest.mark.parametrize("text", ["21", "-20.5", "inf", "nan", "loud"])
def test_a_level_that_is_none_ends_with_2(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["levels", f"--mic={text}"])
    assert ended.value.code == 2
    assert "--mic" in capsys.readouterr().err
