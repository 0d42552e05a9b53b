"""The loop: I/O, foreign calls, timers and the step, in one thread and in a known order."""

from __future__ import annotations

import os
import socket
import threading
import time

import pytest

from service.loop import EVENT_READ, EVENT_WRITE, Loop


@pytest.fixture
def loop():
    loop = Loop()
    yield loop
    loop.close()


def run_until(loop: Loop, done, timeout_s: float = 5.0) -> None:
    """Turn the loop until `done()`; an assertion fails after `timeout_s`."""
    deadline = time.monotonic() + timeout_s

    def step(now: float) -> float:
        if done() or now > deadline:
            loop.stop()
        return deadline

    loop.run(step)
    assert done()


def test_a_readable_socket_calls_back_with_what_it_is_ready_for(loop):
    # given
    near, far = socket.socketpair()
    with near, far:
        seen = []
        loop.add(near, EVENT_READ, lambda ready: seen.append((ready, near.recv(10))))
        # when
        far.send(b"edge")
        run_until(loop, lambda: seen)
        # then
        assert seen == [(EVENT_READ, b"edge")]
        loop.remove(near)


def test_modify_waits_for_other_events(loop):
    near, far = socket.socketpair()
    with near, far:
        seen = []
        loop.add(near, EVENT_READ, seen.append)
        loop.modify(near, EVENT_WRITE)
        run_until(loop, lambda: seen)
        assert set(seen) == {EVENT_WRITE}
        loop.remove(near)


def test_a_descriptor_removed_in_a_turn_is_not_called_later_in_that_turn(loop):
    # given two readable sockets, each of whose callbacks removes the other
    pairs = [socket.socketpair() for _ in range(2)]
    called = []

    def callback(index: int, _ready: int) -> None:
        called.append(index)
        loop.remove(pairs[1 - index][0])

    for index, (near, far) in enumerate(pairs):
        loop.add(near, EVENT_READ, lambda ready, index=index: callback(index, ready))
        far.send(b"x")
    # when one turn is made
    turns = []
    loop.run(lambda now: turns.append(now) or (loop.stop() if len(turns) > 1 else None) or now)
    # then only one of them was called
    assert len(called) == 1
    for pair in pairs:
        for sock in pair:
            sock.close()


def test_foreign_calls_run_in_the_loops_thread_in_order_of_hand_over(loop):
    # given
    seen = []
    threads = set()

    def call(number: int) -> None:
        seen.append(number)
        threads.add(threading.get_ident())

    def foreign() -> None:
        for number in range(1000):
            loop.call_soon_threadsafe(lambda number=number: call(number))

    thread = threading.Thread(target=foreign)
    # when
    thread.start()
    run_until(loop, lambda: len(seen) == 1000)
    thread.join()
    # then
    assert seen == list(range(1000))
    assert threads == {threading.get_ident()}


def test_foreign_calls_come_before_what_waits_in_sockets(loop):
    # given sockets that were ready before another thread handed its call over
    pairs = [socket.socketpair() for _ in range(3)]
    order = []
    for near, far in pairs:
        loop.add(near, EVENT_READ, lambda _ready, near=near: order.append(near.recv(10)))
        far.send(b"grant")
    thread = threading.Thread(target=loop.call_soon_threadsafe, args=(lambda: order.append("key-up"),))
    thread.start()
    thread.join()
    # when
    run_until(loop, lambda: len(order) == 4)
    # then
    assert order == ["key-up", b"grant", b"grant", b"grant"]
    for near, far in pairs:
        near.close()
        far.close()


def test_a_foreign_call_handed_over_during_a_turn_comes_before_that_turns_next_socket(loop):
    # given two ready sockets, during the first of whose callbacks another thread hands a call over
    pairs = [socket.socketpair() for _ in range(2)]
    order = []

    def callback(near: socket.socket) -> None:
        order.append(near.recv(10))
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(lambda: order.append("key-up"),))
        thread.start()
        thread.join()

    for near, far in pairs:
        loop.add(near, EVENT_READ, lambda _ready, near=near: callback(near))
        far.send(b"grant")
    # when
    run_until(loop, lambda: len(order) == 4)
    # then
    assert order == [b"grant", "key-up", b"grant", "key-up"]
    for near, far in pairs:
        near.close()
        far.close()


def test_a_foreign_call_may_have_the_other_calls_made_and_each_is_made_once(loop):
    # given
    order = []
    loop.call_soon_threadsafe(lambda: order.append("first") or loop.run_foreign_calls())
    loop.call_soon_threadsafe(lambda: order.append("second"))
    loop.call_soon_threadsafe(lambda: order.append("third"))
    # when
    run_until(loop, lambda: len(order) >= 3)
    # then
    assert order == ["first", "second", "third"]


def test_a_call_handed_over_after_others_were_made_out_of_turn_still_wakes_the_loop(loop):
    # given a call made by hand, and not by the loop that it woke
    seen = []
    loop.call_soon_threadsafe(lambda: seen.append(1))
    loop.run_foreign_calls()
    timer = threading.Timer(0.02, loop.call_soon_threadsafe, args=(lambda: seen.append(2) or loop.stop(),))
    # when
    timer.start()
    loop.run(lambda _now: None)
    timer.join()
    # then
    assert seen == [1, 2]


def test_a_full_inbox_refuses_and_counts():
    loop = Loop(foreign_calls_max=2)
    answers = [loop.call_soon_threadsafe(lambda: None) for _ in range(3)]
    assert answers == [True, True, False]
    assert loop.refused == 1
    loop.close()


def test_a_closed_loop_refuses_foreign_calls_and_touches_no_descriptor():
    # given
    loop = Loop()
    loop.close()
    # when
    accepted = loop.call_soon_threadsafe(lambda: None)
    loop.stop()
    loop.close()
    # then
    assert accepted is False


def test_a_foreign_call_that_hands_itself_over_again_does_not_starve_the_step(loop):
    # given
    def again() -> None:
        loop.call_soon_threadsafe(again)

    steps = []
    loop.call_soon_threadsafe(again)
    # when
    run_until(loop, lambda: steps.append(1) or len(steps) >= 10)
    # then
    assert len(steps) >= 10


def test_a_waiting_loop_wakes_at_once_for_a_foreign_call(loop):
    # given a loop that waits with no deadline
    delays = []
    sent = []

    def arrive() -> None:
        delays.append(time.monotonic() - sent[-1])
        loop.stop()

    def foreign() -> None:
        sent.append(time.monotonic())
        loop.call_soon_threadsafe(arrive)

    timer = threading.Timer(0.02, foreign)
    # when
    timer.start()
    loop.run(lambda _now: None)
    timer.join()
    # then
    assert delays[0] < 0.1


def test_timers_fire_in_order_of_time_and_not_before(loop):
    # given
    fired = []
    begin = time.monotonic()
    for delay_s in (0.02, 0.0, 0.01):
        loop.call_at(begin + delay_s, lambda delay_s=delay_s: fired.append((delay_s, time.monotonic() - begin)))
    # when
    run_until(loop, lambda: len(fired) == 3)
    # then
    assert [delay_s for delay_s, _at in fired] == [0.0, 0.01, 0.02]
    assert all(at >= delay_s for delay_s, at in fired)


def test_a_cancelled_timer_is_not_called_and_wakes_nobody(loop):
    # given
    fired = []
    timer = loop.call_at(time.monotonic() + 0.005, lambda: fired.append("cancelled"))
    loop.call_at(time.monotonic() + 0.02, lambda: fired.append("kept"))
    # when
    timer.cancel()
    run_until(loop, lambda: fired)
    # then
    assert fired == ["kept"]
    assert not timer.pending


def test_a_timer_that_re_arms_itself_in_the_past_does_not_hold_the_loop(loop):
    def again() -> None:
        loop.call_at(0.0, again)

    steps = []
    loop.call_at(0.0, again)
    run_until(loop, lambda: steps.append(1) or len(steps) >= 10)
    assert len(steps) >= 10


def test_the_step_is_called_first_and_at_the_time_it_asked_for(loop):
    # given
    times = []

    def step(now: float) -> float:
        times.append(now)
        if len(times) == 2:
            loop.stop()
        return times[0] + 0.02

    # when
    loop.run(step)
    # then
    assert times[1] - times[0] == pytest.approx(0.02, abs=0.05)
    assert times[1] - times[0] >= 0.02


def test_an_exception_of_a_callback_leaves_run(loop):
    # given
    def broken(_ready: int) -> None:
        raise ZeroDivisionError("a programmer's error")

    near, far = socket.socketpair()
    with near, far:
        loop.add(near, EVENT_READ, broken)
        far.send(b"x")
        # when, then
        with pytest.raises(ZeroDivisionError):
            loop.run(lambda _now: None)
        loop.remove(near)


def test_stop_ends_a_waiting_loop_from_another_thread(loop):
    timer = threading.Timer(0.01, loop.stop)
    timer.start()
    loop.run(lambda _now: None)
    timer.join()


def test_closing_gives_every_descriptor_back():
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        Loop().close()
    assert len(os.listdir("/proc/self/fd")) == before
