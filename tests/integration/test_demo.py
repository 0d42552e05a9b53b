"""`make demo` itself: the whole story once, its verdict and files; and that nothing is left behind when it is ended."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from hw.virtual_client import VirtualPins
from lab.demo.desk import CHROMIUMS
from tests.support.procs import Daemon, Daemons, eventually

STORY_S = 60.0
BEGIN_S = 60.0
END_S = 30.0
STORIES_S = 5 * STORY_S
"""Where the machine stands still a story is played anew, PLAYS_MAX times at most; and a busy one is slow."""


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """Unix sockets take paths of 107 bytes at most."""
    folder = Path(tempfile.mkdtemp(prefix="t-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def demo(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "import sys; from lab.cli import main; sys.exit(main())", "demo", *arguments]


def whole_reason(done: subprocess.CompletedProcess[str], out: Path) -> str:
    """All there is to read about a demo that failed, on a machine nobody can look at afterwards."""
    words = [f"exit status {done.returncode}", done.stdout, done.stderr]
    for path in sorted(out.glob("report*.json")):
        report = json.loads(path.read_text())
        failed = [check for check in report["checks"] if not check["ok"]]
        words += [f"{path.name}: {check['name']}: {check['detail']}; stalls: {check['stalls']}" for check in failed]
        words.append(f"{path.name}: all stalls: {report['stalls']}; {report['machine']}")
    for log in sorted(out.glob("logs*/*.log")):
        words.append(f"--- the end of {log.parent.name}/{log.name}:\n{log.read_text(errors='replace')[-3000:]}")
    return "\n".join(words)


def processes_in(folder: Path) -> list[str]:
    """Command lines of living processes that name a path of `folder`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_text().replace("\0", " ")
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if any(f"{folder}/{ours}" in words for ours in ("ptt-demo-", "ptt-rig-")) and state != "Z":
                found.append(words)
    return found


def pid_of(folder: Path, word: str) -> int:
    """The process whose command line names a path of `folder` that ends so."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (entry / "cmdline").exists():
            words = (entry / "cmdline").read_text().split("\0")
            if any(each.startswith(f"{folder}/ptt-demo-") and each.endswith(word) for each in words):
                return int(entry.name)
    raise AssertionError(f"no process has {word} in its command line")


@pytest.mark.alone
@pytest.mark.timeout(STORIES_S + 20)
def test_the_story_happens_and_every_ear_hears_what_was_said(short_tmp: Path) -> None:
    out = short_tmp / "out"

    done = subprocess.run(
        demo("--out", str(out), "--lang", "en"),
        capture_output=True,
        text=True,
        timeout=STORIES_S,
        env={**os.environ, "TMPDIR": str(short_tmp)},
        check=False,
    )

    assert done.returncode == 0, whole_reason(done, out)
    report = json.loads((out / "report.json").read_text())
    assert report["failed"] == []
    assert report["verdict"] == "passed"
    assert [(burst["speaker"], burst["ended"]) for burst in report["bursts"]] == [
        ("car-1", "released"),
        ("car-2", "released"),
        ("desk", "released"),
        ("car-1", "released"),
        ("car-2", "lost"),
        ("car-3", "released"),
    ]
    assert [sorted(burst["heard"]) for burst in report["bursts"]] == [
        ["car-2", "car-3", "desk"],
        ["car-1", "car-3", "desk"],
        ["car-1", "car-2", "car-3"],
        ["car-2", "car-3", "desk"],
        ["car-1", "car-3", "desk"],
        ["car-1", "desk"],
    ]
    sessions = [burst["session"] for burst in report["bursts"]]
    assert sessions[0] == sessions[1] != sessions[2] == sessions[3]
    assert [(refusal["user"], refusal["deny"]["speaker_name"]) for refusal in report["refusals"]] == [
        ("car-3", "1호차"),
        ("desk", "1호차"),
    ]
    assert "1호차" in report["refusals"][1]["page"]
    assert sorted(report["search_for_refused_speech"]["ears"]["desk"]) == ["car-1", "car-2", "car-3", "desk"]
    assert (out / "timeline.png").stat().st_size > 30_000
    for burst in report["bursts"]:
        for file in (burst["file"], *(ear["file"] for ear in burst["heard"].values())):
            with wave.open(str(out / file)) as sound:
                assert sound.getnframes() > sound.getframerate()
    assert not (out / "logs").exists()
    assert list(short_tmp.glob("ptt-demo-*")) == []
    assert processes_in(short_tmp) == []


@pytest.mark.alone
@pytest.mark.timeout(STORIES_S + 20)
def test_over_the_stand_in_for_agora_the_story_happens_while_the_broker_denies_the_voice_topics(
    short_tmp: Path,
) -> None:
    out = short_tmp / "out"

    done = subprocess.run(
        demo("--out", str(out), "--lang", "en", "--voice", "agora-stub"),
        capture_output=True,
        text=True,
        timeout=STORIES_S,
        env={**os.environ, "TMPDIR": str(short_tmp)},
        check=False,
    )

    assert done.returncode == 0, whole_reason(done, out)
    report = json.loads((out / "report.json").read_text())
    assert report["failed"] == []
    assert "the browser console cannot join the stand-in for Agora" in done.stdout
    denied = [check for check in report["checks"] if "voice topics denied" in check["name"]]
    assert len(denied) == len(report["bursts"]) == 4
    assert list(short_tmp.glob("ptt-demo-*")) == []
    assert processes_in(short_tmp) == []


def without_chromium(folder: Path) -> dict[str, str]:
    """An environment in which every program of this machine is found, but no browser."""
    programs = folder / "programs"
    programs.mkdir()
    for place in reversed(os.environ["PATH"].split(os.pathsep)):
        for program in Path(place).glob("*"):
            link = programs / program.name
            link.unlink(missing_ok=True)
            link.symlink_to(program)
    for name in CHROMIUMS:
        (programs / name).unlink(missing_ok=True)
    return {"PATH": str(programs), "TMPDIR": str(folder)}


def interrupt(folder: Path, number: signal.Signals, environ: dict[str, str]) -> str:
    """Interrupt a demo while somebody speaks; gives what it said."""
    with Daemons(folder) as daemons:
        daemon: Daemon = daemons.start("demo", demo("--out", str(folder / "out"), "--lang", "en"), environ)
        daemon.says("button down", BEGIN_S)
        assert len(processes_in(folder)) >= 5

        daemon.signal(number)

        assert daemon.wait(END_S) == 130
        assert processes_in(folder) == []
        assert list(folder.glob("ptt-*-*")) == []
        assert (folder / "out" / "logs" / "car-1.log").stat().st_size > 0
        return daemon.log


def test_an_interrupted_demo_ends_all_its_processes_and_removes_its_folders(short_tmp: Path) -> None:
    assert "the console's radio is on" in interrupt(short_tmp, signal.SIGINT, {"TMPDIR": str(short_tmp)})


def test_without_a_chromium_the_demo_says_so_plainly_and_plays_with_three_voices(short_tmp: Path) -> None:
    said = interrupt(short_tmp, signal.SIGTERM, without_chromium(short_tmp))

    assert "the browser console is left out: this machine has no chromium" in said
    assert "the console's radio is on" not in said


def test_a_story_that_breaks_off_is_told_with_its_reason_and_keeps_its_logs(short_tmp: Path) -> None:
    with Daemons(short_tmp) as daemons:
        daemon = daemons.start(
            "demo", demo("--out", str(short_tmp / "out"), "--lang", "en"), without_chromium(short_tmp)
        )
        daemon.says("button down", BEGIN_S)

        os.kill(pid_of(short_tmp, "dispatch.toml"), signal.SIGKILL)

        assert daemon.wait(END_S) == 1
        report = json.loads((short_tmp / "out" / "report.json").read_text())
        assert report["verdict"] == "failed"
        assert "the story is played to its end" in report["failed"]
        assert "dispatch ended by itself" in daemon.log
        assert (short_tmp / "out" / "logs" / "dispatch.log").exists()
        assert processes_in(short_tmp) == []
        assert list(short_tmp.glob("ptt-demo-*")) == []


def test_a_demo_killed_by_sigkill_takes_its_processes_along(short_tmp: Path) -> None:
    with Daemons(short_tmp) as daemons:
        daemon = daemons.start("demo", demo("--out", str(short_tmp / "out")), {"TMPDIR": str(short_tmp)})
        chromium = f"{short_tmp}/ptt-demo-"
        eventually(
            lambda: any("--user-data-dir" in words and chromium in words for words in processes_in(short_tmp)),
            BEGIN_S,
            "the demo's processes run, its browser among them",
        )

        daemon.kill()

        eventually(lambda: processes_in(short_tmp) == [], END_S, "nothing is left")


def test_the_live_demo_prints_commands_that_work_and_ends_with_what_was_heard(short_tmp: Path) -> None:
    with Daemons(short_tmp) as daemons:
        daemon = daemons.start(
            "live",
            demo("--out", str(short_tmp / "out"), "--live", "--lang", "en"),
            {"TMPDIR": str(short_tmp)},
        )
        daemon.says("ptt watch --broker", BEGIN_S)
        press = next(line.split() for line in daemon.log.splitlines() if "ptt-lab press" in line)
        socket = Path(press[press.index("press", 1) + 1])
        page = re.search(r"open (https://\S+)/console ", daemon.log)
        assert page is not None
        assert requests.get(f"{page[1]}/healthz", verify=False, timeout=10).ok

        with VirtualPins(socket) as pins:
            pins.press()
            daemon.says("burst heard", END_S)
            pins.release()
            daemon.says("burst played", END_S)

        daemon.signal(signal.SIGINT)
        assert daemon.wait(END_S) == 0
        assert processes_in(short_tmp) == []
        with wave.open(str(short_tmp / "out" / "heard-car-2-live.wav")) as sound:
            assert sound.getnframes() > 0
