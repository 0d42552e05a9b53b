"""`ptt-lab bench` in its short form: each runs on the real processes and leaves its files. No timing is judged."""

import csv
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.bench.figure import read
from lab.bench.run import BENCHES, main

# Each benchmark with the figures it leaves.
FIGURES = {
    "press": ("press_granted_p50", "press_granted_p99", "press_granted_opening_p50", "press_granted_opening_p99"),
    "doors": ("press_doors_p50", "press_doors_p99", "press_doors_trip_p50", "press_doors_trip_p99"),
    "start": ("start_ready", "resident", "idle_cpu"),
    "token": ("token_rate", "token_p99", "token_fresh_p99"),
    "agora-stub": (
        "agora_stub_joined",
        "agora_stub_first_frame",
        "agora_stub_mqtt_only",
        "agora_stub_handover",
        "agora_stub_gap_50ms",
        "agora_stub_gap_120ms",
        "agora_stub_gap_200ms",
    ),
    "memory": ("dispatch_memory", "dispatch_memory_growth"),
    "event-log": (
        *("events_written", "events_written_synced", "events_deleted", "report_day", "report_month", "events_day"),
        *("events_newest", "events_user", "events_rare_user", "events_nobody", "events_session", "events_denied"),
    ),
    "dashboard": ("dashboard_50_page", "dashboard_50_bytes", "dashboard_50_pixel_p95", "dashboard_50_main_thread"),
    "cpu": ("cpu_idle", "cpu_listening", "cpu_talking"),
    "first-syllable": ("first_syllable_1500ms",),
    "cue": (
        "cue_busy_p50",
        "cue_busy_p99",
        "cue_idle_p50",
        "cue_idle_p99",
        "cue_no_connection_p50",
        "cue_no_connection_p99",
        "cue_denied_felt_p50",
        "cue_denied_felt_p99",
    ),
    "cab-sound": ("cab_sound_all",),
    "mouth-to-ear": ("mouth_to_ear_10ms", "mouth_to_ear_20ms", "speaker_bytes_10ms", "speaker_bytes_20ms"),
}


ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def out() -> Iterator[Path]:
    """A folder beside the checkout's other output: /tmp is in memory on many machines, which a bench refuses."""
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build", prefix="bench-") as folder:
        yield Path(folder)


SOUND = ("first-syllable", "mouth-to-ear", "cab-sound")
"""What these cannot hear they cannot measure, however short: they run alone."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.timed] if name in SOUND else []) for name in BENCHES]
)
def test_a_benchmark_leaves_a_judged_figure_with_machine_and_raw_samples(name: str, out: Path) -> None:
    # when it is run with a few samples only
    status = main(["--out", str(out), "--only", name, "--short", "--no-fail"])
    # then each figure stands in a file of its own, with what the issue asks for
    assert status == 0
    assert sorted(path.stem for path in out.glob("*.json")) == sorted(FIGURES[name])
    for figure_name in FIGURES[name]:
        raw = json.loads((out / f"{figure_name}.json").read_text())
        figure = read(out / f"{figure_name}.json")
        assert {"name", "value", "unit", "against", "ratio", "bar", "holds", "samples", "runs", "machine"} <= set(raw)
        assert figure.name == figure_name
        assert figure.value >= 0
        assert figure.machine is not None
        assert figure.n > 0
        for samples in figure.samples:
            with (out / samples).open(newline="") as file:
                assert len(list(csv.reader(file))) > 1
    # and nothing else is left behind
    assert not list((out / "work").glob("*"))


def test_a_store_in_memory_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        status = main(["--out", memory, "--only", "press", "--short"])
    assert status == 2
    assert "on a real disk" in capsys.readouterr().err
