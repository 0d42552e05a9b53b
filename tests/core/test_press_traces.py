"""A press is traced from its edge to its end, told once it is over, and timed by the office's clock."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gateway.core.press_traces import KEPT_MAX, SERVER_WAIT_S
from gateway.core.server_clock import ServerClock
from gateway.core.time_probes import TimeProbes
from gateway.core.words import LinkDown, LinkUp, Pressed, Publish
from protocol.messages import DenyCause, FloorDeny, FloorRenew, PressTrace, TimeAnswer, TimeProbe
from protocol.topics import Kind
from tests.core.upkeep_rig import UpkeepRig

OFFICE_MS = 1_800_000_000_000
"""The office's time while the rig's monotonic clock shows 0; the rig's own wall clock is far from it."""


class TimedRig(UpkeepRig):
    """The office answers probes, so many seconds after they were sent."""

    def probes_answered(self, round_trips_s: list[float]) -> TimedRig:
        for round_trip_s in round_trips_s:
            before = len(self.published(TimeProbe))
            while len(self.published(TimeProbe)) == before:
                self.wait(max(0.0, (self.vehicle.next_deadline() or self.now) - self.now))
            probe = self.published(TimeProbe)[-1]
            self.now += round_trip_s
            at = OFFICE_MS + round((self.now - round_trip_s * 0.9) * 1000)
            self.reply(TimeAnswer(probe_no=probe.probe_no, at=at))
        return self

    def traces(self) -> list[PressTrace]:
        return self.published(PressTrace)


@pytest.fixture
def rig() -> TimedRig:
    rig = TimedRig()
    rig.up()
    return rig


def deny(rig: UpkeepRig, press: int) -> None:
    cause = DenyCause.ANOTHER_HAS_PERMISSION
    request = (0, 7, 1, press)
    rig.reply(FloorDeny(rev=9, request_id=request, cause=cause, speaker="car-3", speaker_name="three", remaining_s=12))


def test_of_a_round_of_probes_the_shortest_counts_and_the_error_holds_the_truth() -> None:
    clock = ServerClock()
    for sent_at, answered_at, server_ms in ((10.0, 10.4, 1_010_390), (11.0, 11.02, 1_011_015), (12.0, 12.3, 1_012_010)):
        clock.probed(sent_at, answered_at, server_ms)  # the office's clock is 1,000,000 ms ahead

    at_ms, error_ms = clock.at(11.5) or (0, 0)
    later_ms, later_error_ms = clock.at(611.5) or (0, 0)

    assert abs(at_ms - 1_011_500) <= error_ms <= 14
    assert error_ms + 55 <= later_error_ms <= error_ms + 65
    assert abs(later_ms - 1_611_500) <= later_error_ms


def test_a_new_round_takes_the_place_of_the_last_even_where_its_round_trips_are_longer() -> None:
    clock = ServerClock()
    clock.probed(10.0, 10.01, 5_000)
    clock.begin()
    clock.probed(20.0, 20.2, 90_000)

    at_ms, error_ms = clock.at(20.1) or (0, 0)

    assert at_ms == 90_000
    assert 100 < error_ms <= 104


def test_before_anything_was_measured_the_clock_says_nothing() -> None:
    assert ServerClock().at(1.0) is None


def test_a_talk_is_told_whole_once_it_is_over_and_the_button_up(rig: TimedRig) -> None:
    rig.probes_answered([0.04, 0.02, 0.06, 0.04, 0.04])
    edge = rig.now
    rig.talk().talk_on(2)
    while_talking = len(rig.traces())
    rig.release().wait(3.0)

    assert while_talking == 0
    (trace,) = rig.traces()
    assert trace.request_id == (0, 7, 1, 1)
    assert trace.burst == 5
    assert [word.what for word in trace.told] == ["granted", "talk ended"]
    assert (trace.asked_ms, trace.permitted_ms, trace.through_ms) == (0, 0, 0)
    assert trace.key_up_ms == pytest.approx(2000, abs=100)
    assert trace.released_ms is not None and trace.released_ms >= trace.key_up_ms
    assert trace.edge_error_ms is not None and trace.edge_error_ms <= 14
    assert abs(trace.edge_at - (OFFICE_MS + edge * 1000)) <= trace.edge_error_ms


def test_a_denied_press_is_told_with_who_spoke_and_how_long_that_could_last(rig: TimedRig) -> None:
    rig.probes_answered([0.02])
    rig.feed(Pressed(at=rig.now)).wait(0.05)
    deny(rig, 1)
    rig.wait(1.0).release().wait(6.0)

    (trace,) = rig.traces()
    assert [(word.ms, word.what) for word in trace.told] == [(50, "denied")]
    assert (trace.speaker, trace.remaining_s, trace.burst, trace.key_up_ms) == ("three", 12, None, 1050)


def test_without_an_answer_to_any_probe_the_own_clock_is_told_as_such(rig: TimedRig) -> None:
    edge = rig.now
    rig.feed(Pressed(at=rig.now))
    deny(rig, 1)
    rig.release().wait(SERVER_WAIT_S + 2)

    (trace,) = rig.traces()
    assert (trace.edge_at, trace.edge_error_ms) == (round(edge * 1000), None)


def test_presses_without_a_connection_are_told_when_it_is_back_the_newest_fifty(rig: TimedRig) -> None:
    rig.feed(LinkDown(reason="cut")).wait(0.1)
    for _ in range(KEPT_MAX + 3):
        rig.feed(Pressed(at=rig.now)).wait(0.2)
        rig.release().wait(0.2)
    offline = list(rig.traces())
    rig.feed(LinkUp())
    rig.probes_answered([0.02] * 5).wait(8.0)

    assert offline == []
    traces = rig.traces()
    assert [trace.request_id[3] for trace in traces] == list(range(4, KEPT_MAX + 4))
    assert {trace.told[0].what for trace in traces} == {"no connection"}
    assert traces[-1].link_down_s == pytest.approx(0.4 * (KEPT_MAX + 2) + 0.1, abs=0.1)
    assert all(trace.edge_error_ms is not None and trace.edge_error_ms <= 20 for trace in traces)


def test_a_trace_that_the_broker_did_not_acknowledge_is_told_again_as_it_was(rig: TimedRig) -> None:
    rig.probes_answered([0.02]).acks = False
    rig.feed(Pressed(at=rig.now))
    deny(rig, 1)
    rig.release().wait(6.0)
    rig.acks = True
    for _ in range(2):
        rig.feed(LinkDown(reason="cut")).wait(0.1).feed(LinkUp())
        rig.probes_answered([0.02]).wait(6.0)

    first, second = rig.traces()
    assert first == second


def test_a_trace_waits_for_a_server_where_only_the_broker_is_back(rig: TimedRig) -> None:
    rig.probes_answered([0.02])
    rig.feed(LinkDown(reason="cut")).wait(0.1)
    rig.feed(Pressed(at=rig.now)).wait(0.2)
    rig.release().wait(0.2)
    rig.feed(LinkUp()).wait(60.0)
    unheard = list(rig.traces())
    rig.probes_answered([0.02]).wait(2.0)

    assert unheard == []
    assert [trace.told[0].what for trace in rig.traces()] == ["no connection"]


def test_a_press_that_no_server_answers_is_told_once_one_is_there_and_it_is_looked_for_soon(rig: TimedRig) -> None:
    rig.probes_answered([0.02] * 5)
    rig.feed(Pressed(at=rig.now)).wait(8.0)
    rig.release().wait(20.0)
    unheard, asked = list(rig.traces()), len(rig.published(TimeProbe))
    rig.probes_answered([0.02]).wait(2.0)

    assert unheard == []
    assert asked >= 10
    assert [trace.told[0].what for trace in rig.traces()] == ["no answer"]


def test_the_newest_presses_are_kept_where_too_many_were_never_acknowledged(rig: TimedRig) -> None:
    rig.probes_answered([0.02]).acks = False
    for press in range(1, KEPT_MAX + 4):
        rig.feed(Pressed(at=rig.now)).wait(0.05)
        deny(rig, press)
        rig.release().wait(3.0)
    rig.acks = True
    before = len(rig.traces())
    rig.feed(LinkDown(reason="cut")).wait(0.1).feed(LinkUp())
    rig.probes_answered([0.02]).wait(20.0)

    assert max(trace.request_id[3] for trace in rig.traces()[before:]) == KEPT_MAX + 3


def test_a_server_that_died_in_a_talk_is_waited_for(rig: TimedRig) -> None:
    rig.probes_answered([0.02] * 5)
    rig.talk().wait(12.0)
    rig.release().wait(700.0)
    unheard = list(rig.traces())
    rig.feed(LinkDown(reason="cut")).wait(0.1)
    rig.feed(Pressed(at=rig.now)).wait(0.2)
    rig.release().wait(1.0).feed(LinkUp())
    rig.probes_answered([0.02]).wait(8.0)

    assert unheard == []
    assert [trace.told[-1].what for trace in rig.traces()][-1] == "no connection"
    assert len(rig.traces()) == 2


def test_without_a_link_no_server_is_asked_for_and_nothing_is_due() -> None:
    away: Any = SimpleNamespace(link_up=False, chance=lambda: 0.0)
    probes = TimeProbes(away, ServerClock(), lambda: False)

    probes.ask_anew(5.0)

    assert probes.next_deadline() is None


def test_a_button_held_on_after_a_denial_is_told_without_its_key_up(rig: TimedRig) -> None:
    rig.probes_answered([0.02])
    rig.feed(Pressed(at=rig.now))
    deny(rig, 1)
    rig.wait(12.0)

    (trace,) = rig.traces()
    assert trace.key_up_ms is None


def test_probes_and_traces_wait_for_a_talk_to_end_and_are_not_retained(rig: TimedRig) -> None:
    rig.talk().talk_on(12)
    probes = len(rig.published(TimeProbe))
    rig.release().wait(8.0)

    assert probes == 0
    assert len(rig.published(TimeProbe)) == 5
    assert len(rig.published(FloorRenew)) >= 12
    said: list[Any] = [e for e in rig.of(Publish) if e.kind is Kind.DEVICE_TRACE or isinstance(e.message, TimeProbe)]
    assert {e.retain for e in said} == {False}


def test_every_ten_minutes_the_office_is_asked_again(rig: TimedRig) -> None:
    rig.probes_answered([0.02] * 5)

    assert len(rig.wait(590).published(TimeProbe)) == 5
    assert len(rig.wait(20).published(TimeProbe)) == 10
