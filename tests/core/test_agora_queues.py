"""The two queues between our loop and Agora's SDK: bounded, in order, and never waited for."""

from __future__ import annotations

import random
import threading

from lab.agora_stub.stream import FRAME_S, Network, Stream, resampled
from voice.transports.agora.commands import COMMANDS_MAX, PUSHES_MAX, Commands
from voice.transports.agora.inbox import SOUND_MAX, WORDS_MAX, Inbox
from voice.transports.agora.port import Closed, Connected, Speech, TokenExpires

SOUND = Speech(7, bytes(320), 0.0)


def test_events_come_out_in_order_and_the_loop_is_woken_once() -> None:
    wakes: list[int] = []
    inbox = Inbox(lambda: wakes.append(1) is None)
    inbox.put(1, Connected("office-1", 5))
    inbox.put(1, SOUND, interval=3)
    inbox.put(2, TokenExpires())
    noted, dropped, flooded = inbox.take()
    assert [(note.generation, note.interval, type(note.event)) for note in noted] == [
        (1, 0, Connected),
        (1, 3, Speech),
        (2, 0, TokenExpires),
    ]
    assert (dropped, flooded, len(wakes)) == (0, False, 1)
    inbox.put(1, SOUND)
    assert len(wakes) == 2


def test_sound_beyond_the_bound_is_dropped_and_counted_while_words_still_pass() -> None:
    inbox = Inbox(lambda: True)
    for _ in range(SOUND_MAX + 30):
        inbox.put(1, SOUND)
    inbox.put(1, Closed("lost", again=True))
    noted, dropped, flooded = inbox.take()
    assert (len(noted), dropped, flooded) == (SOUND_MAX + 1, 30, False)
    assert isinstance(noted[-1].event, Closed)
    assert inbox.take() == ([], 0, False)


def test_words_beyond_the_bound_are_told_as_a_flood() -> None:
    inbox = Inbox(lambda: True)
    for _ in range(WORDS_MAX + 1):
        inbox.put(1, TokenExpires())
    noted, dropped, flooded = inbox.take()
    assert (len(noted), dropped, flooded) == (WORDS_MAX, 1, True)


def test_a_loop_that_could_not_be_woken_is_woken_by_the_next_event() -> None:
    answers = iter([False, True])
    inbox = Inbox(lambda: next(answers))
    inbox.put(1, SOUND)
    inbox.put(1, SOUND)
    assert next(answers, "asked twice") == "asked twice"
    assert len(inbox.take()[0]) == 2


def test_calls_are_made_in_order_until_the_last() -> None:
    commands, made = Commands(), list[str]()
    commands.put(lambda: made.append("connect"))
    commands.put_sound(lambda: made.append("push"))
    assert commands.run_next() and commands.run_next()
    commands.put(lambda: made.append("forgotten"))
    commands.put_last(lambda: made.append("close"))
    assert not commands.run_next()
    assert made == ["connect", "push", "close"]


def test_calls_with_sound_are_bounded_before_all_calls_are() -> None:
    commands = Commands()
    pushed = [commands.put_sound(lambda: None) for _ in range(PUSHES_MAX + 1)]
    put = [commands.put(lambda: None) for _ in range(COMMANDS_MAX - PUSHES_MAX + 1)]
    assert (pushed.count(True), pushed[-1]) == (PUSHES_MAX, False)
    assert (put.count(True), put[-1]) == (COMMANDS_MAX - PUSHES_MAX, False)
    commands.run_next()
    assert commands.put_sound(lambda: None)


def test_a_waiting_thread_is_woken_by_a_call() -> None:
    commands, made = Commands(), threading.Event()
    thread = threading.Thread(target=commands.run_next)
    thread.start()
    commands.put(made.set)
    thread.join(5)
    assert made.is_set()


def frame(number: int) -> bytes:
    return bytes([number, 1]) * 160


def test_sound_leaves_the_stand_in_in_order_after_its_delay_whatever_the_jitter() -> None:
    network = Network(delay_s=0.2, jitter_s=0.1)
    stream = Stream(network, random.Random(3))
    now, got = 100.0, list[tuple[float, bytes]]()
    for tick in range(80):
        now = 100.0 + tick * FRAME_S
        if tick < 40:
            assert stream.push(frame(tick), 16000, now) == 1
        taken = stream.take(now)
        got += [(now, taken[1])] if taken else []
    assert [pcm for _, pcm in got] == [frame(number) for number in range(40)]
    assert 100.2 <= got[0][0] <= 100.31
    assert stream.empty


def test_an_interruption_drops_what_is_ahead_of_real_time_and_keeps_what_is_on_its_way() -> None:
    stream = Stream(Network(delay_s=0.05), random.Random(1))
    for number in range(20):
        stream.push(frame(number), 16000, 10.0)  # 200 ms at once
    stream.interrupt(10.055)
    got = [taken[1] for tick in range(30) if (taken := stream.take(10.0 + tick * FRAME_S))]
    assert got == [frame(number) for number in range(6)]
    assert stream.push(frame(99), 16000, 11.0) == 1


def test_sound_of_another_rate_keeps_its_length_and_of_the_same_its_bytes() -> None:
    assert resampled(frame(5), 16000, 16000) == frame(5)
    assert len(resampled(frame(5), 16000, 48000)) == 960
    assert len(resampled(bytes(960), 48000, 16000)) == 320
