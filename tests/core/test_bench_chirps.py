"""Marks in sound are found where they are, by kind, and nothing is found that is not there."""

import numpy as np
import pytest

from lab.bench import chirps

RATE_HZ = 48000


def samples_of(marks: chirps.Marks) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.frombuffer(marks.pcm, "<i2").astype(np.float64) / 32768


def test_every_mark_is_found_within_a_sample_of_where_it_was_put() -> None:
    marks = chirps.signal(chirps.WIDE, 8, 0.4, 0.5, RATE_HZ)
    found = chirps.find(samples_of(marks), chirps.WIDE[0], RATE_HZ)
    assert [round(number / RATE_HZ, 3) for number in found] == [round(start, 3) for start in marks.starts_s]


def test_a_mark_is_found_in_noise_and_at_a_tenth_of_its_level() -> None:
    marks = chirps.signal(chirps.WIDE, 5, 0.4, 0.5, RATE_HZ)
    noise = np.random.default_rng(3).standard_normal(len(marks.pcm) // 2) * 0.005
    found = chirps.find(samples_of(marks) * 0.1 + noise, chirps.WIDE[0], RATE_HZ)
    assert np.allclose(np.array(found) / RATE_HZ, marks.starts_s, atol=0.001)


def test_a_delay_put_between_two_copies_is_the_delay_found() -> None:
    marks = chirps.signal(chirps.WIDE, 6, 0.4, 0.5, RATE_HZ)
    said = chirps.find(samples_of(marks), chirps.WIDE[0], RATE_HZ)
    late = np.concatenate([np.zeros(2208), samples_of(marks)])  # 46 ms
    heard = chirps.find(late, chirps.WIDE[0], RATE_HZ)
    pairs = chirps.pair([number / RATE_HZ for number in said], [number / RATE_HZ for number in heard], 0.3)
    assert [delay for _, delay in pairs] == pytest.approx([0.046] * 6, abs=1e-4)


def test_a_mark_that_was_cut_out_is_a_hole_and_no_delay() -> None:
    assert chirps.pair([1.0, 2.0, 3.0], [1.05, 3.05], 0.4) == [
        (1.0, pytest.approx(0.05)),
        (2.0, None),
        (3.0, pytest.approx(0.05)),
    ]


def test_kinds_do_not_answer_to_each_others_filter() -> None:
    marks = chirps.signal(chirps.KINDS, 16, 0.3, 0.5, RATE_HZ)
    for kind, sweep in enumerate(chirps.KINDS):
        mine = [start for start, each in zip(marks.starts_s, marks.kinds, strict=True) if each == kind]
        found = [number / RATE_HZ for number in chirps.find(samples_of(marks), sweep, RATE_HZ)]
        assert found == pytest.approx(mine, abs=0.002)


def test_nothing_is_found_in_silence() -> None:
    assert chirps.find(np.zeros(RATE_HZ), chirps.WIDE[0], RATE_HZ) == []
