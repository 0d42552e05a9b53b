"""A long run from the command line: which seeds it takes, and what it says and returns."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sim import world

ROOT = Path(__file__).resolve().parents[2]


def soak(*argv: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["tests.sim", *argv])
    with pytest.raises(SystemExit) as end:
        runpy.run_module("tests.sim", run_name="__main__")
    return int(end.value.code or 0)


def test_make_sim_runs_as_many_seeds_as_it_is_told_from_where_it_is_told() -> None:
    command = ["make", "-s", "-o", "setup", f"BIN={Path(sys.executable).parent}", "sim", "SEEDS=3", "FROM=7"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("3 seeds, 0 bad")


def test_a_run_goes_on_after_a_bad_seed_tells_it_and_is_not_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # given a world in which one seed violates an invariant
    ran: list[int] = []

    def run_seed(seed: int) -> str:
        ran.append(seed)
        return "seed 11: two holders" * (seed == 11)

    monkeypatch.setattr(world, "run_seed", run_seed)
    # when
    status = soak("--from", "10", "--to", "14", monkeypatch=monkeypatch)
    # then
    assert (status, ran) == (1, [10, 11, 12, 13])
    assert capsys.readouterr().out.startswith("seed 11: two holders\n4 seeds, 1 bad")
