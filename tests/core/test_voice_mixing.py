"""What sounds when, by whose turn the loudspeaker is."""

from __future__ import annotations

from array import array

import pytest

from protocol.worker import Playback
from voice.mixing import mixed

VOICE = array("h", [10_000, -10_000]).tobytes()
OWN = array("h", [1_000, 30_000])
DUCK = 50


@pytest.mark.parametrize(
    ("voice", "own", "office", "heard"),
    [
        (None, None, Playback.FULL, None),
        (VOICE, None, Playback.FULL, [10_000, -10_000]),
        (None, OWN, Playback.FULL, [1_000, 30_000]),
        (VOICE, OWN, Playback.FULL, [10_500, 5_000]),
        (None, None, Playback.DUCKED, None),
        (VOICE, None, Playback.DUCKED, [5_000, -5_000]),
        (None, OWN, Playback.DUCKED, [500, 15_000]),
        (VOICE, OWN, Playback.DUCKED, [5_250, 2_500]),
        (None, None, Playback.SILENT, None),
        (VOICE, None, Playback.SILENT, [0, 0]),
        (None, OWN, Playback.SILENT, [1_000, 30_000]),
        (VOICE, OWN, Playback.SILENT, [1_000, 30_000]),
    ],
)
def test_each_pair_of_sounds_in_each_focus(
    voice: bytes | None, own: array[int] | None, office: Playback, heard: list[int] | None
) -> None:
    frame = mixed(voice, own, DUCK, office)

    assert frame == (heard and array("h", heard).tobytes())


def test_a_sum_that_is_too_loud_is_cut_and_does_not_turn_over() -> None:
    loud = array("h", [32_767, -32_768])

    frame = mixed(loud.tobytes(), loud, 100, Playback.FULL)

    assert frame == loud.tobytes()
