"""The unit that enrols from the boot partition, as systemd itself reads it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from gateway import cli

UNIT = Path(__file__).resolve().parents[2] / "systemd/ptt-gateway-enrol.service"
EXPOSURE_MAX = 25
"""systemd-analyze's threshold is ten times the figure it prints: 2.5."""


def settings(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def test_systemd_has_nothing_to_say_against_it(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = tmp_path / UNIT.name
    copy.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={program}", UNIT.read_text("utf-8"), flags=re.M), "utf-8")

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_is_sandboxed_though_it_runs_as_root() -> None:
    argv = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager", str(UNIT)]

    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stdout


def test_the_radio_comes_after_it_and_neither_waits_for_a_network() -> None:
    found = settings(UNIT.read_text("utf-8"))

    assert found["Before"] == ["ptt-gateway.service"]
    assert [value for name in ("After", "Wants", "Requires") for value in found.get(name, [])] == []


def test_it_runs_only_where_somebody_left_a_code_and_looks_where_that_is() -> None:
    found = settings(UNIT.read_text("utf-8"))

    [line] = found["ExecStart"]
    arguments = cli._parser().parse_args(line.split()[1:])

    assert found["ConditionPathExists"] == [f"|{path}" for path in arguments.file]
    assert arguments.command == "enrol"
