"""Who heard a burst, at the vehicle: what a listener reports, and what the speaker is told."""

import pytest

from gateway.core.context import Context
from gateway.core.heard import Heard
from gateway.core.indicators import sentence
from gateway.core.played import REPORTS_MAX, PlayedReports
from gateway.core.server_clock import ServerClock
from gateway.core.told import Told
from gateway.core.words import FromWorker, InputChanged, LinkDown, LinkUp, Publish, Received, Tell, ToWorker
from protocol.messages import BurstPlayed, FloorHeard
from protocol.timers import HEARD_WAIT_S, PLAYED_SPREAD_S
from protocol.topics import Kind
from protocol.worker import Heard as FirstHeard
from protocol.worker import Join, Play, PlayedOut, Say
from tests.core.gateway_vehicle_rig import Rig


def out(burst: int = 5, frames: int = 90, concealed: int = 10) -> PlayedOut:
    return PlayedOut(burst=burst, user="car-2", frames=frames, concealed=concealed, late=0, delay_ms=40)


class Listening:
    """The reports of one vehicle, with a chance that can be set."""

    def __init__(self, chance: float = 0.5) -> None:
        self.ctx = Context("car-1", lambda: chance)
        self.ctx.link_up = True
        self.ctx.connection_id = (0, 7, 1)
        self.clock = ServerClock()
        self.reports = PlayedReports(self.ctx, self.clock)

    def sent(self) -> list[Publish]:
        return [effect for effect in self.ctx.take() if isinstance(effect, Publish)]


# --- the listener -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
def test_what_was_played_is_reported_once_within_the_spread(chance: float) -> None:
    car = Listening(chance)
    car.reports.played(out(), 10.0)
    assert car.reports.next_deadline() == pytest.approx(10.0 + PLAYED_SPREAD_S * chance)
    car.reports.tick(10.0 + PLAYED_SPREAD_S * chance - 0.001)
    early = car.sent()
    car.reports.tick(10.0 + PLAYED_SPREAD_S)
    car.reports.tick(10.0 + PLAYED_SPREAD_S + 5.0)
    [sent] = car.sent()
    assert early == []
    assert sent.message == BurstPlayed(connection_id=(0, 7, 1), burst=5, frames=90, concealed=10)
    assert (sent.kind, sent.ids, sent.retain) == (Kind.HEARTBEAT, ("car-1",), False)
    assert car.reports.next_deadline() is None


def test_what_had_its_time_and_did_not_sound_is_reported_as_not_played() -> None:
    car = Listening(0.0)
    car.reports.played(PlayedOut(burst=5, user="car-2", frames=90, concealed=10, late=0, delay_ms=40, silent=60), 10.0)
    car.reports.tick(10.0)
    assert [p.message for p in car.sent()] == [BurstPlayed(connection_id=(0, 7, 1), burst=5, frames=30, concealed=70)]


def test_a_burst_of_which_nothing_was_played_is_not_reported() -> None:
    car = Listening()
    car.reports.played(out(frames=0, concealed=50), 10.0)
    assert car.reports.next_deadline() is None


def test_when_the_first_sample_was_heard_is_told_by_the_offices_clock_and_with_its_error() -> None:
    car = Listening(0.0)
    car.clock.probed(9.0, 9.02, 1_000_009_010)  # the office's clock is 1,000,000,000 ms ahead
    car.reports.heard(FirstHeard(burst=5, user="car-2", seq=0, at=9.5))
    car.reports.played(out(), 10.0)
    car.reports.tick(10.0)
    [sent] = car.sent()
    assert isinstance(sent.message, BurstPlayed)
    assert (sent.message.heard_at, sent.message.heard_error_ms) == (1_000_009_500, 13)


@pytest.mark.parametrize(("measured", "aloud"), [(False, True), (True, False)])
def test_without_the_offices_clock_or_a_sound_no_moment_is_told(measured: bool, aloud: bool) -> None:
    car = Listening(0.0)
    for sent_at in [9.0] * measured:
        car.clock.probed(sent_at, sent_at + 0.02, 1_000_009_010)
    car.reports.heard(FirstHeard(burst=5, user="car-2", seq=0, at=9.5, aloud=aloud))
    car.reports.played(out(), 10.0)
    car.reports.tick(10.0)
    assert [p.message for p in car.sent()] == [BurstPlayed(connection_id=(0, 7, 1), burst=5, frames=90, concealed=10)]


def test_how_long_joining_took_is_told_with_the_burst_it_was_joined_for_and_once() -> None:
    car = Listening(0.0)
    join, play = Join(event_id="e" * 8, channel="hq"), Play(burst=5, user="car-2")
    car.reports.look([ToWorker(command=join), ToWorker(command=play)], 8.0)
    car.reports.joined("another", 8.01)
    car.reports.joined("e" * 8, 8.04)
    car.reports.joined("e" * 8, 9.9)
    for burst in (5, 6):
        car.reports.played(out(burst), 10.0)
    car.reports.tick(10.0)
    assert [p.message.join_ms for p in car.sent() if isinstance(p.message, BurstPlayed)] == [40, None]


def test_a_channel_joined_to_speak_is_told_with_no_burst_of_another() -> None:
    car = Listening(0.0)
    car.reports.look([ToWorker(command=Join(event_id="e" * 8, channel="hq"))], 8.0)
    car.reports.joined("e" * 8, 8.04)
    car.reports.look([ToWorker(command=Play(burst=6, user="car-2"))], 12.0)
    car.reports.played(out(6), 15.0)
    car.reports.tick(15.0)
    assert [p.message.join_ms for p in car.sent() if isinstance(p.message, BurstPlayed)] == [None]


def test_a_report_waits_for_the_link_and_goes_out_under_the_connection_of_then() -> None:
    car = Listening()
    car.ctx.link_up = False
    car.reports.played(out(), 10.0)
    car.reports.tick(12.0)
    before = car.sent()
    car.ctx.link_up, car.ctx.connection_id = True, (0, 7, 2)
    car.reports.tick(13.0)
    [sent] = car.sent()
    assert before == []
    assert isinstance(sent.message, BurstPlayed)
    assert sent.message.connection_id == (0, 7, 2)


def test_a_report_nobody_waits_for_any_more_is_dropped() -> None:
    car = Listening()
    car.ctx.link_up = False
    car.reports.played(out(), 10.0)
    assert car.reports.next_deadline() == 10.0 + HEARD_WAIT_S
    car.reports.tick(10.0 + HEARD_WAIT_S)
    car.ctx.link_up = True
    car.reports.tick(10.0 + HEARD_WAIT_S)
    assert (car.sent(), car.reports.next_deadline()) == ([], None)


def test_reports_that_wait_are_bounded_and_the_newest_stay() -> None:
    car = Listening()
    for burst in range(1, 20):
        car.reports.played(out(burst), 10.0)
    car.reports.tick(11.0)
    bursts = [p.message.burst for p in car.sent() if isinstance(p.message, BurstPlayed)]
    assert bursts == list(range(20 - REPORTS_MAX, 20))


# --- the speaker ------------------------------------------------------------------------------------------------------


class Speaking:
    """What one speaker knows and is told."""

    def __init__(self) -> None:
        self.ctx = Context("car-1", lambda: 0.5)
        self.heard = Heard(self.ctx)

    def told(self) -> list[tuple[Told, int, int]]:
        return [(e.what, e.count, e.of) for e in self.ctx.take() if isinstance(e, Tell)]

    def counted(self, burst: int, by: int, of: int) -> None:
        self.heard.take(FloorHeard(burst=burst, heard_by=by, heard_of=of))

    def asked(self) -> list[tuple[Told, int, int]]:
        self.heard.tell(0.0)
        return self.told()


def test_who_asks_is_told_how_many_heard() -> None:
    car = Speaking()
    car.heard.granted(5)
    car.counted(5, 9, 11)
    assert car.told() == []
    assert car.asked() == [(Told.HEARD_BY, 9, 11)]
    assert sentence(Told.HEARD_BY, "ko", "", None, 9, of=11) == "11명 중 9명이 들었습니다"
    assert sentence(Told.HEARD_BY, "en", "", None, 9, of=11) == "9 of 11 heard you"


def test_that_nobody_heard_is_told_unasked_and_once() -> None:
    car = Speaking()
    car.heard.granted(5)
    car.counted(5, 0, 3)
    car.counted(5, 0, 3)
    assert car.told() == [(Told.NOBODY_HEARD, 0, 0)]
    assert car.asked() == [(Told.NOBODY_HEARD, 0, 0)]


def test_that_nobody_was_there_is_told_to_who_asks_only() -> None:
    car = Speaking()
    car.heard.granted(5)
    car.counted(5, 0, 0)
    assert car.told() == []
    assert car.asked() == [(Told.NOBODY_THERE, 0, 0)]


def test_of_a_burst_not_counted_yet_nothing_is_known_whatever_was_known_of_the_last() -> None:
    car = Speaking()
    assert car.asked() == [(Told.HEARD_UNKNOWN, 0, 0)]
    car.counted(5, 2, 2)
    car.heard.granted(6)
    assert car.asked() == [(Told.HEARD_UNKNOWN, 0, 0)]
    assert car.heard.counted is None


def test_an_older_bursts_count_comes_too_late() -> None:
    car = Speaking()
    car.heard.granted(6)
    car.counted(5, 0, 3)
    assert car.told() == []
    assert car.asked() == [(Told.HEARD_UNKNOWN, 0, 0)]


def test_after_a_restart_the_count_of_a_burst_from_before_is_taken() -> None:
    car = Speaking()
    car.counted(5, 1, 2)
    assert car.asked() == [(Told.HEARD_BY, 1, 2)]


# --- the whole vehicle ------------------------------------------------------------------------------------------------


def tells(rig: Rig) -> list[Told]:
    return [effect.what for _, effect in rig.all if isinstance(effect, Tell)]


def test_a_vehicle_that_played_a_burst_says_so_on_its_heartbeat_topic() -> None:
    rig = Rig().up()
    rig.feed(FromWorker(event=out()))
    rig.wait(0.5)
    [report] = rig.published(BurstPlayed)
    assert (report.kind, report.message) == (
        Kind.HEARTBEAT,
        BurstPlayed(connection_id=(0, 7, 1), burst=5, frames=90, concealed=10),
    )


def test_a_vehicle_whose_link_flaps_reports_under_its_new_connection() -> None:
    rig = Rig().up()
    rig.feed(LinkDown(reason="test"), FromWorker(event=out()))
    rig.wait(1.0)
    rig.feed(LinkUp())
    rig.wait(1.0)
    [report] = rig.published(BurstPlayed)
    assert isinstance(report.message, BurstPlayed)
    assert report.message.connection_id == (0, 7, 2)


def test_the_replay_button_held_says_who_heard_and_the_state_shows_it() -> None:
    rig = Rig().up()
    rig.feed(Received(kind=Kind.REPLY, message=FloorHeard(burst=7, heard_by=9, heard_of=11)))
    rig.feed(InputChanged(signal="replay", active=True, at=rig.now))
    rig.wait(1.5)
    rig.feed(InputChanged(signal="replay", active=False, at=rig.now))
    said = [e.command.text for _, e in rig.all if isinstance(e, ToWorker) and isinstance(e.command, Say)]
    assert said[-1] == "11명 중 9명이 들었습니다"
    assert tells(rig).count(Told.HEARD_BY) == 1
    assert (rig.vehicle.status().heard_by, rig.vehicle.status().heard_of) == (9, 11)


def test_asking_keys_nothing() -> None:
    rig = Rig().up()
    before = len(rig.all)
    rig.feed(InputChanged(signal="replay", active=True, at=rig.now))
    rig.wait(1.5)
    commands = [type(e.command).__name__ for _, e in rig.all[before:] if isinstance(e, ToWorker)]
    assert {"Arm", "Transmit"}.isdisjoint(commands)
    assert not rig.vehicle.status().keyed
