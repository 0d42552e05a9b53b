"""The real ear in virtual time: speech that waited is heard from its first frame on, and caught up with."""

import numpy as np
import pytest

from protocol.worker import Heard, PlayedOut
from tests.support.two_ways import RATE, Listener

SAID_S = 8.0


@pytest.mark.parametrize("packet_ms", [10, 20, 60])
@pytest.mark.parametrize("late_s", [0.5, 1.0, 1.5])
def test_a_listener_told_late_hears_all_from_the_first_frame_and_is_no_later_in_the_end(
    late_s: float, packet_ms: int
) -> None:
    # given speech that arrives, and a listener who is told of it only so much later
    listener = Listener(1, packet_ms=packet_ms)
    listener.over_mqtt(0.0, SAID_S, last=True)
    listener.play(uid=0, at=late_s)
    # when it is played
    listener.run(SAID_S + 2.0)
    # then it begins with the first frame, and every frame is played; at most one device frame is invented, where the
    # delay was worked off to the last millisecond
    heard, over = listener.words
    assert isinstance(heard, Heard)
    assert isinstance(over, PlayedOut)
    assert (heard.seq, over.late, over.frames) == (0, 0, round(SAID_S / listener.packet_s))
    assert over.concealed <= 1
    assert late_s <= heard.at <= late_s + 0.03
    # and its end is heard as early as if nothing had waited
    sound_until_s = np.flatnonzero(np.abs(listener.sound) > 100)[-1] / RATE
    assert sound_until_s <= SAID_S + 0.02 + packet_ms / 1000 + 0.05


@pytest.mark.parametrize("granted_s", [0.5, 1.5])
def test_pre_roll_that_comes_in_one_go_is_heard_as_what_came_in_time(granted_s: float) -> None:
    # given speech sent all at once at the grant, and as it is spoken from then on
    listener = Listener(2)
    listener.over_mqtt(0.0, SAID_S, delay_s=lambda end: max(0.02, granted_s + 0.02 - end), last=True)
    listener.play(uid=0, at=granted_s)
    listener.run(SAID_S + 2.0)
    # then nothing is missing, and the end is no later than ever
    heard, over = listener.words
    assert isinstance(over, PlayedOut)
    assert (over.late, over.concealed, over.frames) == (0, 0, round(SAID_S / 0.02))
    assert over.delay_ms <= 30
    # and the first quarter of a second is what was said, sample by sample
    assert isinstance(heard, Heard)
    first = listener.places(0.0, 0.2, within_s=granted_s + 0.2)
    assert [likeness > 0.9 for _, _, likeness in first] == [True] * len(first)
    assert max(later for _, later, _ in first) - min(later for _, later, _ in first) < 0.002
