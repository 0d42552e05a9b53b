"""A benchmark's verdicts and files: what a bar is held against, and what stands in the JSON."""

import csv
from pathlib import Path

import pytest

from lab.bench.figure import beside, bounded, quantile, ratio, read, summary, table, write, write_samples
from lab.bench.machine import Machine, file_system, in_memory

MACHINE = Machine(
    at="2026-01-01T00:00:00Z",
    cpu="a cpu",
    cores=2,
    memory_mib=1024,
    kernel="Linux 6 x86_64",
    python="3.11",
    mosquitto="2",
    pulseaudio="16",
    packages={},
    commit="abc",
    disk="ext4 on /dev/sda",
    fdatasync_ms=0.4,
    load_before=0.1,
)


def test_a_ratio_at_its_bar_holds_and_above_it_does_not() -> None:
    assert ratio("a", 4.0, "ms", "b", 1.0, 4.0).holds
    assert not ratio("a", 4.001, "ms", "b", 1.0, 4.0).holds


def test_a_value_is_judged_by_itself_where_the_bar_is_on_it() -> None:
    within, beyond = bounded("a", 90.0, "MiB", 90.0), bounded("a", 90.1, "MiB", 90.0)
    assert (within.holds, within.judged) == (True, 90.0)
    assert not beyond.holds


def test_a_value_with_another_beside_it_is_judged_by_itself_and_shown_with_both() -> None:
    within, beyond = beside("a", 29.0, "ms", "idle", 1.0, 30.0), beside("a", 31.0, "ms", "idle", 31.0, 30.0)
    assert (within.holds, within.ratio, within.judged) == (True, 29.0, 29.0)
    assert not beyond.holds
    assert "a       29 ms  1        29.00x  <= 30 ms  yes" in table([within])


def test_a_figure_without_a_bar_is_only_told() -> None:
    figure = bounded("a", 1e9, "s", None)
    assert figure.holds
    assert "told only" in table([figure])


def test_the_verdict_is_by_the_exact_numbers_and_not_by_the_rounded_ones() -> None:
    assert not ratio("a", 1.30004, "ms", "b", 1.0, 1.3).holds


def test_a_quantile_is_a_sample_and_the_whole_share_lies_below_it() -> None:
    samples = [float(number) for number in range(100, 0, -1)]
    assert quantile(samples, 0.99) == 100.0
    assert quantile(samples, 0.5) == 51.0
    assert quantile([7.0], 0.99) == 7.0
    with pytest.raises(ValueError, match="no samples"):
        quantile([], 0.5)


def test_a_summary_has_the_middle_and_the_ends() -> None:
    assert summary([3.0, 1.0, 2.0]) == {"n": 3, "p50": 2.0, "p90": 3.0, "p99": 3.0, "min": 1.0, "max": 3.0}


def test_a_figure_is_read_back_as_it_was_written_with_the_machine(tmp_path: Path) -> None:
    figure = ratio("press", 2.0, "ms", "round trip", 1.0, 4.0, n=2, samples=("press.csv",), runs=({"block": 0},))
    path = write(figure, tmp_path, MACHINE)
    found = read(path)
    assert path.name == "press.json"
    assert found.machine == MACHINE
    assert (found.name, found.value, found.unit, found.against_value, found.ratio) == ("press", 2.0, "ms", 1.0, 2.0)
    assert (found.bar, found.holds, found.samples) == (4.0, True, ("press.csv",))


def test_raw_samples_are_kept_as_csv_with_holes_where_there_was_none(tmp_path: Path) -> None:
    name = write_samples(tmp_path / "s.csv", ("at_s", "delay_ms"), [(0.5, 12.25), (1.0, None)])
    with (tmp_path / name).open(newline="") as file:
        assert list(csv.reader(file)) == [["at_s", "delay_ms"], ["0.5", "12.25"], ["1", ""]]


def test_the_table_says_which_bar_was_missed() -> None:
    lines = table([ratio("x", 5.0, "ms", "y", 1.0, 4.0)])
    assert lines.splitlines()[-1].split() == ["x", "5", "ms", "1", "5.00x", "<=", "4x", "NO"]


def test_a_disk_in_memory_is_told_from_a_real_one() -> None:
    assert in_memory(Path("/dev/shm"))
    assert file_system(Path("/proc")).startswith("proc ")
