"""The call manager's console in a real browser: what the desk says is heard in the cars, and theirs at the desk."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from msgspec import Struct
from playwright.sync_api import BrowserContext

from dispatch.store.reader import StoreReader
from dispatch.traces.listeners import Reported
from dispatch.traces.reader import TraceReader
from lab.demo.tape import epochs
from lab.measure.align import Alignment, align
from lab.measure.sound import RATE_HZ, Recording, dbfs, peak
from tests.integration.console_browser_rig import LEAD_S, Desk, Scene
from tests.support.console_office import OFFICE
from tests.support.procs import eventually

SILENT_DBFS = -50.0
SPOKEN = 0.5
"""What the page's meter shows of speech at least."""
AFTER_S = 0.8
TONE_S = 0.8
"""Behind a refusal the desk's own tone has sounded by then."""
SLOW_S = 0.12
"""The line to the broker, one way: the desk has said its first syllable before it knows that the floor is its own."""
FASTER_S = 0.35
"""So much delay that makes, which the cars work off in single periods of the voice."""
STALL_S = 0.1
"""A busy machine may keep a listener waiting so long, once: it invents sound for it, and what follows is later."""
LAG_MS_MAX = 700.0
LATE_S = 2.0
"""A page stands still for so long, less than its lease."""
STILL_S = 3.6
"""And so long, longer than it."""
FRAME_S = 0.02
TAIL_S = 0.2
"""What is on its way through a sound system when the key goes up, and what a press begins earlier with."""
HEARD_S = 6.0
"""The office waits so long at most for those who have not said what they heard."""


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    folder = Path(tempfile.mkdtemp(prefix="console-"))  # short: sockets lie in it
    with ExitStack() as stack:
        yield Scene(folder, stack)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def context(scene: Scene) -> Iterator[BrowserContext]:
    made = scene.context()
    yield made
    made.close()


@pytest.fixture(scope="module")
def desk(scene: Scene, context: BrowserContext) -> Iterator[Desk]:
    made = Desk(scene, context)
    yield made
    made.close()


def dated_reports(scene: Scene) -> list[Reported] | None:
    """Both listeners' reports of the newest burst; None: they are not there yet, or not dated."""
    reader = StoreReader(f"sqlite:///{scene.folder}/office.db")
    try:
        told = TraceReader(reader).reports(OFFICE, 0, time.time_ns() // 1_000_000 + 1)
    finally:
        reader.close()
    newest = max((one.report.burst for one in told), default=0)
    dated = [one for one in told if one.report.burst == newest and one.report.heard_at is not None]
    return dated if {one.user for one in dated} == {"desk", "car-2"} else None


class Told(Struct, frozen=True, kw_only=True):
    """One story: the desk speaks, is refused while car-1 has the floor, and hears car-1."""

    hearings: dict[str, Alignment]
    """Who spoke to whom, as "desk car-2", and how whole it was."""
    refused_peak: dict[str, float]
    """How loud each ear was while the desk's refused sentence was spoken, dBFS."""
    refusal_peak: float
    """How loud the desk's own ear was just when it was refused, dBFS: a tone says so."""
    refused_level: float
    """How loud the page's own meter was meanwhile, 0 to 1."""
    own_peak: float
    """How loud the desk's own loudspeaker was while it spoke, dBFS."""
    heard: str
    denied: str
    line: str
    talks: str
    heard_at: dict[str, int]
    """When car-1 was first heard, by each listener's own word: Unix ms by the office's clock."""
    heard_error_ms: dict[str, int]
    """How wrong that can be."""


@pytest.fixture(scope="module")
def told(scene: Scene, desk: Desk) -> Told:
    # when the dispatcher holds the space bar and speaks at once, before any answer can be there
    scene.line.delay_s = SLOW_S
    desk.until(LEAD_S - 0.06)  # a listener leaves the first quarter of a second as it was spoken
    desk.page.keyboard.down("Space")
    desk.floor("talking")
    desk.until(LEAD_S + scene.desk_s + 0.1)
    desk.page.keyboard.up("Space")
    desk.floor("idle")
    spoke_at, spoke_until = desk.marks("keydown")[0], desk.marks("keyup")[0]
    spoken = Recording(scene.tape(), desk.tape_at_s).cut(spoke_at, spoke_until)
    scene.line.delay_s = 0.0
    # and car-1 takes the floor, silent at first, while the dispatcher presses and speaks in vain
    pins = scene.pins("car-1")
    desk.until(scene.refused_at_s - 0.6)
    pins.press()
    desk.page.wait_for_selector('#speaker[data-user="car-1"]')
    refused_at = desk.until(scene.refused_at_s - 0.1)
    heard = desk.text("heard")
    desk.page.keyboard.down("Space")
    desk.floor("denied")
    denied = desk.text("told")
    level = eventually(lambda: desk.level if desk.level > SPOKEN else None, 2, "the refused words reach the microphone")
    assert level is not None
    # and car-1 speaks then
    car, said = scene.cars["car-1"], scene.said["car-1"]
    car_at = desk.tape_at_s + scene.refused_at_s + len(scene.said["refused"]) / RATE_HZ + 0.6
    assert car.microphone is not None
    car.microphone.say(said, car_at, epochs(car.played)[1])
    refused_until = time.monotonic() + max(0.0, car_at - 0.2 - time.monotonic())
    time.sleep(max(0.0, refused_until - time.monotonic()))
    desk.page.keyboard.up("Space")
    car_until = car_at + len(said) / RATE_HZ + 0.1
    time.sleep(max(0.0, car_until - time.monotonic()))
    pins.release()
    scene.idle(3)
    dated = eventually(lambda: dated_reports(scene), HEARD_S, "both listeners date what they heard")
    assert dated is not None
    eventually(lambda: desk.page.locator("#bursts tr").count() >= 2, 3, "both talks are shown")
    talks, line = desk.text("bursts"), desk.text("line")
    time.sleep(AFTER_S)
    browser, ears = scene.ear.recording(), {user: scene.recordings(user)[1] for user in scene.cars}
    hearings = {
        f"desk {user}": align(spoken, ear.cut(spoke_at, spoke_until + AFTER_S), faster_s=FASTER_S)
        for user, ear in ears.items()
    }
    hearings["car-1 desk"] = align(said, browser.cut(car_at, car_until + AFTER_S), slower_s=STALL_S, faster_s=STALL_S)
    return Told(
        hearings=hearings,
        refused_peak={
            **{user: dbfs(peak(ear.cut(refused_at, refused_until))) for user, ear in ears.items()},
            "desk": dbfs(peak(browser.cut(refused_at + TONE_S, refused_until))),
        },
        refusal_peak=dbfs(peak(browser.cut(refused_at, refused_at + TONE_S))),
        refused_level=level,
        own_peak=dbfs(peak(browser.cut(spoke_at, spoke_until))),
        heard=heard,
        denied=denied,
        line=line,
        talks=talks,
        heard_at={one.user: one.report.heard_at or 0 for one in dated},
        heard_error_ms={one.user: one.report.heard_error_ms or 0 for one in dated},
    )


@pytest.mark.parametrize("way", ["desk car-1", "desk car-2", "car-1 desk"])
def test_what_is_said_is_heard_whole_from_the_first_syllable_to_the_last(told: Told, way: str) -> None:
    hearing = told.hearings[way]
    assert hearing.problems == ()
    assert 0 < hearing.lag_start_ms < LAG_MS_MAX
    assert 0 < hearing.lag_end_ms < LAG_MS_MAX


def test_the_page_dates_what_it_heard_by_the_offices_clock_as_a_car_does(told: Told) -> None:
    assert abs(told.heard_at["desk"] - told.heard_at["car-2"]) < LAG_MS_MAX
    assert max(told.heard_error_ms.values()) < LAG_MS_MAX


def test_what_is_said_without_the_floor_is_in_nobodys_ear(told: Told) -> None:
    assert told.refused_level > SPOKEN  # it was said
    assert {user: level < SILENT_DBFS for user, level in told.refused_peak.items()} == {
        "car-1": True,
        "car-2": True,
        "desk": True,
    }


def test_a_refusal_is_told_by_a_tone_and_nothing_sounds_at_the_desk_while_it_speaks(told: Told) -> None:
    assert told.refusal_peak > SILENT_DBFS
    assert told.own_peak < SILENT_DBFS


def test_the_page_says_who_heard_who_was_in_the_way_and_what_was_last(told: Told) -> None:
    assert told.heard == "Your last words were heard by 2 of 2"
    assert told.denied.startswith("car-1호 is speaking: ")
    assert told.line == "Connected: 본사"
    assert [row.split("\t")[1] for row in told.talks.splitlines()] == ["car-1호", "desk호"]


def test_a_cut_line_ends_the_talk_in_the_cars_is_told_and_comes_back(scene: Scene, desk: Desk) -> None:
    # given a talk, held with the mouse
    desk.page.hover("#ptt")
    desk.page.mouse.down()
    desk.floor("talking")
    # when the line to the broker is cut
    scene.line.refuse()
    scene.line.cut()
    # then the page says so, and the floor is free within the lease
    desk.page.wait_for_selector('#line[data-link="lost"]')
    assert "Nobody hears you" in desk.text("line")
    scene.idle(5)
    desk.page.mouse.up()
    # and it works again once the line does
    scene.line.accept()
    desk.floor("idle", 10_000)
    desk.page.focus("#ptt")
    desk.page.keyboard.down("Enter")
    desk.floor("talking")
    # and lets go where the window loses the focus
    desk.page.evaluate("dispatchEvent(new Event('blur'))")
    desk.floor("idle")
    desk.page.keyboard.up("Enter")
    scene.idle(3)


def test_what_is_said_behind_the_release_is_not_sent_although_the_page_hears_of_it_late(
    scene: Scene, desk: Desk
) -> None:
    # given a talk, and a page too busy to hear that the key went up
    desk.page.keyboard.down("Space")
    desk.floor("talking")
    talking = eventually(lambda: scene.session() if scene.session()["current_speaker"] == "desk" else None, 3, "desk")
    assert talking is not None
    desk.stand_still(LATE_S)
    time.sleep(LATE_S / 4)
    desk.page.keyboard.up("Space")
    scene.idle(3)
    # then as much was sent as the key was down for, and no more
    ended = scene.session()
    held_s = desk.marks("keyup")[-1] - desk.marks("keydown")[-1]
    sent_s = (ended["last_seq"] + 1) * FRAME_S
    assert (ended["burst"], ended["ended"]) == (talking["burst"], "released")
    assert -TAIL_S < sent_s - held_s < 2 * TAIL_S
    desk.floor("idle")


def test_a_page_that_stood_still_has_lost_the_floor_and_holds_nothing_any_more(scene: Scene, desk: Desk) -> None:
    desk.page.keyboard.down("Space")
    desk.floor("talking")
    eventually(lambda: scene.session()["current_speaker"] == "desk", 3, "car-2 sees who speaks")
    desk.stand_still(STILL_S)
    scene.idle(STILL_S + 1)
    desk.floor("idle")  # although nobody told it that the key is up
    assert scene.session()["current_speaker"] is None
    desk.page.keyboard.up("Space")


def test_a_sound_system_that_goes_away_ends_the_talk_and_what_does_not_sound_was_not_heard(
    scene: Scene, desk: Desk
) -> None:
    desk.page.keyboard.down("Space")
    desk.floor("talking")
    eventually(lambda: scene.session()["current_speaker"] == "desk", 3, "car-2 sees who speaks")
    desk.sound("suspend")
    desk.told("no microphone")
    scene.idle(1)
    desk.page.keyboard.up("Space")
    # when a car speaks meanwhile, the other car heard it and the desk did not
    pins = scene.pins("car-1")
    pins.press()
    desk.page.wait_for_selector('#speaker[data-user="car-1"]')
    time.sleep(0.5)
    pins.release()
    scene.idle(3)
    eventually(lambda: desk.text("bursts").splitlines()[0].endswith("1 of 2"), HEARD_S, lambda: desk.text("bursts"))
    # and all is well again when it is back
    desk.page.click("#do-sound")
    desk.page.wait_for_selector('#level[data-microphone="ready"]', state="attached")
    desk.page.focus("#ptt")
    desk.page.keyboard.down("Space")
    desk.floor("talking")
    desk.page.keyboard.up("Space")
    desk.floor("idle")


def test_a_sound_that_cannot_be_taken_up_again_is_told_and_the_next_try_has_microphone_and_loudspeaker(
    scene: Scene, desk: Desk
) -> None:
    # given a sound system that went away, and a browser that cannot take it up again
    desk.sound("suspend")
    desk.page.wait_for_selector("#trouble-sound")
    desk.page.evaluate("void (contexts.at(-1).resume = () => Promise.reject(new Error('no device')))")
    desk.page.click("#do-sound")
    desk.page.wait_for_selector("#trouble-sound:has-text('no device')")
    # when the page is told to try again
    desk.page.click("#do-sound")
    desk.page.wait_for_selector("#trouble-sound", state="detached")
    # then the desk is heard, and hears
    desk.page.wait_for_selector('#level[data-microphone="ready"]', state="attached")
    desk.page.focus("#ptt")
    desk.page.keyboard.down("Space")
    desk.floor("talking")
    eventually(lambda: scene.session()["current_speaker"] == "desk", 3, "car-2 sees who speaks")
    time.sleep(0.3)
    desk.page.keyboard.up("Space")
    scene.idle(3)
    assert scene.session()["last_seq"] > 0.3 / FRAME_S
    pins = scene.pins("car-1")
    pins.press()
    desk.page.wait_for_selector('#speaker[data-user="car-1"][data-sounding="true"]')
    pins.release()
    scene.idle(3)
    desk.floor("idle")


def test_a_page_closed_in_the_middle_of_a_talk_leaves_the_floor_free(scene: Scene, context: BrowserContext) -> None:
    desk = Desk(scene, context)
    desk.page.keyboard.down("Space")
    desk.floor("talking")
    eventually(lambda: scene.session()["current_speaker"] == "desk", 3, "car-2 sees who speaks")
    desk.close()
    scene.idle(4)


def test_without_a_microphone_the_page_hears_and_says_how_to_mend_it(scene: Scene) -> None:
    with_none = scene.context(microphone=False)
    desk = Desk(scene, with_none, microphone="denied")
    assert "allow the microphone" in desk.text("trouble-mic")
    desk.page.keyboard.down("Space")
    desk.told("no microphone")
    desk.page.keyboard.up("Space")
    pins = scene.pins("car-1")
    pins.press()
    desk.page.wait_for_selector('#speaker[data-user="car-1"][data-sounding="true"]')
    pins.release()
    scene.idle(3)
    desk.close()
    with_none.close()


def test_the_second_window_takes_over_and_the_first_says_so_and_takes_back(scene: Scene, desk: Desk) -> None:
    second = Desk(scene, desk.page.context)
    desk.page.wait_for_selector("#trouble-elsewhere")
    assert "another window since" in desk.text("trouble-elsewhere")
    desk.page.click("#do-elsewhere")
    second.page.wait_for_selector("#trouble-elsewhere")
    desk.floor("idle")
    second.close()


def test_an_emergency_is_shown_and_cleared_only_after_the_dispatcher_was_asked(scene: Scene, desk: Desk) -> None:
    pins = scene.pins("car-2")
    pins.press("emergency")
    row = '#emergencies li[data-user="car-2"]'
    desk.page.wait_for_selector(row)
    pins.release("emergency")
    # when asked, leaving it leaves it
    desk.page.click(f"{row} button")
    assert "car-2호" in desk.text("sure-what")
    desk.page.click("#sure-no")
    desk.page.wait_for_selector(row)
    desk.page.click(f"{row} button")
    desk.page.click("#sure-yes")
    desk.page.wait_for_selector(row, state="detached")
    assert desk.text("cleared") == "car-2호: the emergency is cleared."
