"""`make demo` itself: the whole story once, its verdict and files; and that nothing is left behind when it is ended."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from hw.virtual_client import VirtualPins
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
            if f"{folder}/ptt-demo-" in words and state != "Z":
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


@pytest.mark.timed
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
        ("car-2", "lost"),
        ("car-3", "released"),
    ]
    assert [sorted(burst["heard"]) for burst in report["bursts"]] == [
        ["car-2", "car-3"],
        ["car-1", "car-3"],
        ["car-1", "car-3"],
        ["car-1"],
    ]
    assert report["bursts"][0]["session"] == report["bursts"][1]["session"] != report["bursts"][2]["session"]
    assert report["refusals"][0]["deny"]["speaker_name"] == "1호차"
    assert (out / "timeline.png").stat().st_size > 30_000
    for burst in report["bursts"]:
        for file in (burst["file"], *(ear["file"] for ear in burst["heard"].values())):
            with wave.open(str(out / file)) as sound:
                assert sound.getnframes() > sound.getframerate()
    assert not (out / "logs").exists()
    assert list(short_tmp.glob("ptt-demo-*")) == []
    assert processes_in(short_tmp) == []


@pytest.mark.timed
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
    denied = [check for check in report["checks"] if "voice topics denied" in check["name"]]
    assert len(denied) == len(report["bursts"]) == 4
    assert list(short_tmp.glob("ptt-demo-*")) == []
    assert processes_in(short_tmp) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_ends_all_its_processes_and_removes_its_folder(
    short_tmp: Path, number: signal.Signals
) -> None:
    with Daemons(short_tmp) as daemons:
        daemon: Daemon = daemons.start(
            "demo", demo("--out", str(short_tmp / "out"), "--lang", "en"), {"TMPDIR": str(short_tmp)}
        )
        daemon.says("button down", BEGIN_S)
        assert len(processes_in(short_tmp)) >= 5

        daemon.signal(number)

        assert daemon.wait(END_S) == 130
        assert processes_in(short_tmp) == []
        assert list(short_tmp.glob("ptt-demo-*")) == []
        assert (short_tmp / "out" / "logs" / "car-1.log").stat().st_size > 0


def test_a_story_that_breaks_off_is_told_with_its_reason_and_keeps_its_logs(short_tmp: Path) -> None:
    with Daemons(short_tmp) as daemons:
        daemon = daemons.start(
            "demo", demo("--out", str(short_tmp / "out"), "--lang", "en"), {"TMPDIR": str(short_tmp)}
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
        eventually(lambda: len(processes_in(short_tmp)) >= 5, BEGIN_S, "the demo's processes run")

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
