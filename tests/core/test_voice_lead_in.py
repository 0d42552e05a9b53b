"""What Agora brings before the speaker's first sound does not delay the finding of its lag, nor leave a hole."""

import pytest

from tests.support.two_ways import STEP, Listener

BOTH_S, ALONE_S, END_S = 0.3, 1.34, 3.4


def concealed(seed: int, lag_s: float, *, led_in: bool) -> int:
    """Steps invented in a burst that is handed over after a second."""
    listener = Listener(seed)
    listener.play()
    listener.over_mqtt(0.0, ALONE_S, handover=True)
    for number in range(round(lag_s * 100) if led_in else 0):
        when = BOTH_S + (number + 1) / 100 + 0.0037
        listener.at(when, lambda: listener.ear.sound(7, bytes(2 * STEP), listener.now))
    listener.over_agora(BOTH_S, END_S, delay_s=lag_s)
    listener.run(END_S + 0.5)
    return listener.ear.health[1]


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
@pytest.mark.parametrize("lag_s", [0.07, 0.14, 0.22])
def test_silence_before_the_first_sound_over_agora_costs_nothing_at_the_handover(seed: int, lag_s: float) -> None:
    # given a publisher that is heard as silence until its first sound has travelled, and one not heard till then
    with_silence, without = (concealed(seed, lag_s, led_in=led_in) for led_in in (True, False))
    # then no more has to be invented at the handover
    assert with_silence <= without + 2
