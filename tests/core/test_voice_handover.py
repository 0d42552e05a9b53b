"""The speaker's plan: which of two networks carries each frame of a burst."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.timers import AGORA_HANDOVER_S, AGORA_OVERLAP_S
from protocol.worker import Handover
from voice.core.handover import HandoverPlan, Route

FRAME_S = 0.02


class Speaker:
    """A plan that is asked for a frame every 20 ms; keeps what went where."""

    def __init__(self, burst: int = 7) -> None:
        self.plan = HandoverPlan()
        self.now = 100.0
        self.seq = 0
        self.mqtt = True
        self.agora = False
        self.routes: list[tuple[float, Route]] = []
        self.plan.follow(burst, self.now)

    def say(self, for_s: float, *, last: bool = False, live: bool = True) -> list[Route]:
        count = round(for_s / FRAME_S)
        for number in range(count):
            self.plan.networks(mqtt=self.mqtt, agora=self.agora, now=self.now)
            route = self.plan.next(self.seq, last=last and number == count - 1, live=live)
            self.routes.append((self.now, route))
            self.seq += 1
            self.now += FRAME_S
        return [route for _, route in self.routes[-count:]]

    @property
    def words(self) -> list[tuple[int, bool, bool]]:
        return [(r.word.seq, r.word.mqtt, r.word.agora) for _, r in self.routes if r.word]

    @property
    def handovers(self) -> list[float]:
        return [at for at, route in self.routes if route.handover]


def ways(routes: list[Route]) -> set[tuple[bool, bool]]:
    return {(route.mqtt, route.agora) for route in routes}


def test_a_burst_starts_on_mqtt_alone_and_goes_to_both_once_agora_is_there() -> None:
    speaker = Speaker()
    assert ways(speaker.say(0.2)) == {(True, False)}
    speaker.agora = True
    assert ways(speaker.say(0.2)) == {(True, True)}
    assert speaker.words == [(10, True, True)]


def test_where_all_have_joined_mqtt_stops_after_the_overlap_and_its_last_frame_says_so() -> None:
    # given a burst on both ways since `began`, all having joined
    speaker = Speaker()
    speaker.agora = True
    speaker.plan.all_joined(7)
    began = speaker.now
    # when it goes on
    routes = speaker.say(2.0)
    # then exactly one frame hands over, when the overlap is long enough, and none goes over MQTT behind it
    [at] = speaker.handovers
    assert at - began == pytest.approx(AGORA_OVERLAP_S, abs=FRAME_S)
    index = next(number for number, route in enumerate(routes) if route.handover)
    assert ways(routes[: index + 1]) == {(True, True)}
    assert ways(routes[index + 1 :]) == {(False, True)}
    assert speaker.words[-1] == (index + 1, False, True)


def test_whoever_has_not_joined_mqtt_stops_two_seconds_after_agora_took_up_the_burst() -> None:
    speaker = Speaker()
    speaker.say(2 * AGORA_OVERLAP_S)
    speaker.agora = True
    began = speaker.now
    speaker.say(3.0)
    assert speaker.handovers == [pytest.approx(began + AGORA_HANDOVER_S, abs=FRAME_S)]


def test_a_backlog_goes_over_mqtt_alone_and_is_no_overlap() -> None:
    # given pre-roll that is too old for Agora, all having joined
    speaker = Speaker()
    speaker.agora = True
    speaker.plan.all_joined(7)
    assert ways(speaker.say(1.0, live=False)) == {(True, False)}
    # then the overlap counts from the first live frame
    began = speaker.now
    speaker.say(2 * AGORA_OVERLAP_S)
    assert speaker.handovers == [pytest.approx(began + AGORA_OVERLAP_S, abs=FRAME_S)]


def test_an_ask_brings_mqtt_back_until_the_bursts_end_and_no_further() -> None:
    # given a burst that was handed over
    speaker = Speaker()
    speaker.agora = True
    speaker.plan.all_joined(7)
    speaker.say(2 * AGORA_OVERLAP_S)
    # when a listener asks, for this burst and not for another
    assert not speaker.plan.ask(6)
    assert ways(speaker.say(0.2)) == {(False, True)}
    assert speaker.plan.ask(7)
    # then both carry it to its end
    assert ways(speaker.say(10.0)) == {(True, True)}
    assert speaker.routes[-1][1].handover is False
    # and the next burst is handed over as ever
    speaker.plan.follow(None, speaker.now)
    speaker.plan.follow(8, speaker.now)
    speaker.plan.all_joined(8)
    speaker.say(2 * AGORA_OVERLAP_S)
    assert len(speaker.handovers) == 2


def test_an_ask_before_the_handover_puts_it_off_for_as_long_as_somebody_asks() -> None:
    # given a burst on both ways, and a listener that asks each half second for two seconds
    speaker = Speaker()
    speaker.agora = True
    speaker.plan.all_joined(7)
    for _ in range(5):
        speaker.say(0.4)
        assert speaker.plan.ask(7)
    assert speaker.handovers == []
    # when it asks no more
    quiet_since = speaker.now
    speaker.say(5.0)
    # then the burst is handed over
    assert speaker.handovers == [pytest.approx(quiet_since + AGORA_HANDOVER_S, abs=2 * FRAME_S)]


def test_a_lost_agora_link_brings_mqtt_back_at_once_and_for_good() -> None:
    speaker = Speaker()
    speaker.agora = True
    speaker.plan.all_joined(7)
    speaker.say(2 * AGORA_OVERLAP_S)
    speaker.agora = False
    assert ways(speaker.say(0.1)) == {(True, False)}
    speaker.agora = True
    assert ways(speaker.say(5.0)) == {(True, True)}


def test_where_mqtt_takes_nothing_agora_carries_it_alone_and_the_overlap_begins_anew_when_it_does() -> None:
    # given a speaker without MQTT voice
    speaker = Speaker()
    speaker.mqtt, speaker.agora = False, True
    speaker.plan.all_joined(7)
    assert ways(speaker.say(1.0, live=False)) == {(False, True)}
    # when it comes back
    speaker.mqtt = True
    began = speaker.now
    speaker.say(2 * AGORA_OVERLAP_S)
    assert speaker.handovers == [pytest.approx(began + AGORA_OVERLAP_S, abs=FRAME_S)]


def test_a_hold_ends_the_overlap_and_the_burst_comes_back_on_both_ways() -> None:
    speaker = Speaker()
    speaker.agora = True
    speaker.plan.all_joined(7)
    speaker.say(2 * AGORA_OVERLAP_S)
    speaker.plan.follow(None, speaker.now)
    assert not speaker.plan.ask(7)
    assert speaker.plan.ways.mqtt is speaker.plan.ways.agora is False
    speaker.plan.follow(7, speaker.now + 1.0)
    assert ways(speaker.say(0.3)) == {(True, True)}


def test_the_last_frame_is_never_a_handover() -> None:
    speaker = Speaker()
    speaker.agora = True
    speaker.plan.all_joined(7)
    speaker.say(AGORA_OVERLAP_S)
    [route] = speaker.say(FRAME_S, last=True)
    assert (route.mqtt, route.agora, route.handover) == (True, True, False)


@given(st.lists(st.sampled_from(["agora", "mqtt", "ask", "joined", "hold", "say", "say"]), max_size=60))
def test_whatever_happens_no_frame_gets_lost_between_the_ways_and_the_words_say_where_it_goes(story: list[str]) -> None:
    # given any story of a burst
    speaker = Speaker()
    for what in story:
        match what:
            case "agora":
                speaker.agora = not speaker.agora
            case "mqtt":
                speaker.mqtt = not speaker.mqtt
            case "ask":
                speaker.plan.ask(7)
            case "joined":
                speaker.plan.all_joined(7)
            case "hold":
                speaker.plan.follow(None, speaker.now)
                speaker.plan.follow(7, speaker.now)
            case _:
                speaker.plan.networks(mqtt=speaker.mqtt, agora=speaker.agora, now=speaker.now)
                if speaker.plan.ways.mqtt or speaker.plan.ways.agora:
                    speaker.say(0.3)
    # then each frame went somewhere, the words add up, and MQTT stops only behind a frame that says so or a dead link
    told = (True, False)
    for _, route in speaker.routes:
        assert route.mqtt or route.agora
        if isinstance(route.word, Handover):
            assert (route.word.mqtt, route.word.agora) != told
            told = (route.word.mqtt, route.word.agora)
        assert told == (route.mqtt, route.agora)
