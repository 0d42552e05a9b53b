"""The memory benchmark's line through its samples, and how long it is told to watch."""

import pytest

from lab.bench.memory import figures, per_hour
from lab.bench.run import main


def test_growth_is_told_by_the_hour_and_without_the_first_tenth() -> None:
    # given a process that fills its pools in the first minute, then grows by 6 MiB an hour
    rows = [(float(at), 50.0 if at < 60 else 60.0 + at / 600, 40.0, at, 0) for at in range(0, 601, 10)]
    # when it is told
    resident, growth = figures(rows, "memory.csv")
    # then the pools are not taken for growth
    assert growth.value == pytest.approx(6.0)
    assert resident.value == pytest.approx(61.0)
    assert (growth.detail["granted"], growth.detail["first_rss_mib"]) == (600, 50.0)


def test_a_single_sample_has_no_growth() -> None:
    assert per_hour([(0.0, 50.0)]) == 0.0


@pytest.mark.parametrize("minutes", ["0", "-1", "1441", "long", "nan", "inf"])
def test_a_time_that_cannot_be_watched_is_refused(minutes: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "memory", f"--minutes={minutes}"])
    assert "is no number of minutes" in capsys.readouterr().err
