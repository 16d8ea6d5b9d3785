"""Times of a stream: from its own, or from when it came; never back."""

import threading
import time
from fractions import Fraction

from muybridge.video.live.live_clock import LiveClock
from muybridge.video.live.pacing import Lateness, Pacer

TICK = Fraction(1, 1000)


def test_the_first_picture_is_second_0_also_where_pictures_wait_for_later_ones():
    clock = LiveClock()
    clock.join(by_arrival=False, gaps_are_true=False)
    decoded = [clock.packet(pts, dts, TICK, 50.0) for pts, dts in ((1080, 1000), (1200, 1040), (1120, 1080))]
    assert [round(each, 3) for each in decoded] == [-0.08, -0.04, 0]
    shown = [clock.frame(pts, TICK, 50.0) for pts in (1080, 1120, 1200)]
    assert [round(each, 3) for each in shown] == [0, 0.04, 0.12]


def test_a_stream_that_is_joined_again_goes_on_by_the_clock_of_this_machine():
    clock = LiveClock()
    clock.join(by_arrival=False, gaps_are_true=False)
    clock.packet(7000, 7000, TICK, 100.0)
    clock.packet(9000, 9000, TICK, 102.0)
    assert clock.frame(9000, TICK, 102.0) == 2
    clock.join(by_arrival=False, gaps_are_true=False)
    clock.packet(0, 0, TICK, 110.0)  # eight seconds later, by a clock that begins anew
    assert clock.frame(0, TICK, 110.0) == 10
    clock.packet(500, 500, TICK, 110.5)
    assert clock.frame(500, TICK, 110.5) == 10.5


def test_a_clock_that_is_set_anew_moves_no_time():
    clock = LiveClock()
    clock.join(by_arrival=False, gaps_are_true=False)
    for pts, arrived in ((0, 10.0), (1000, 11.0), (900_000, 12.0), (901_000, 13.0), (50, 14.0)):
        clock.packet(pts, pts, TICK, arrived)
        assert clock.frame(pts, TICK, arrived) == arrived - 10
    assert clock.frame(0, TICK, 14.0) == 4.0  # never back


def test_a_pause_in_a_recording_stays():
    clock = LiveClock()
    clock.join(by_arrival=False, gaps_are_true=True)
    clock.packet(0, 0, TICK, 10.0)
    clock.packet(60_000, 60_000, TICK, 10.1)
    assert clock.frame(60_000, TICK, 10.1) == 60


def test_without_times_frames_have_the_time_at_which_they_come():
    clock = LiveClock()
    clock.join(by_arrival=True, gaps_are_true=False)
    clock.packet(40, 40, TICK, 10.0)
    clock.packet(80, 80, TICK, 10.7)
    assert round(clock.frame(80, TICK, 10.7), 6) == 0.7
    clock.packet(None, None, None, 11.0)
    assert clock.frame(None, None, 11.0) == 1.0


def test_a_recording_waits_until_a_frame_is_due():
    pacer, began = Pacer(threading.Event(), rebases=False), time.monotonic()
    pacer.wait(5.0)
    due = pacer.wait(5.3)
    assert 0.28 < time.monotonic() - began < 0.6
    assert abs(due - began - 0.3) < 0.05
    time.sleep(0.2)
    assert abs(pacer.wait(5.3) - due) < 1e-9  # late is late


def test_what_comes_in_bursts_is_moved_by_what_comes_late():
    pacer = Pacer(threading.Event(), rebases=True)
    pacer.wait(0.0)
    time.sleep(0.3)
    began = time.monotonic()
    pacer.wait(0.1)  # 0.2 s late: now
    pacer.wait(0.2)  # and what follows with it
    assert 0.08 < time.monotonic() - began < 0.4


def test_lateness_is_against_the_best_of_the_last_minute():
    late = Lateness()
    assert late.of(0, 100.0) == 0
    assert late.of(1, 101.5) == 0.5
    assert late.of(2, 101.8) == 0
    assert round(late.of(3, 103.8), 6) == 1.0
    assert round(late.of(62.8, 163.7), 6) == 0.1  # a minute on, that is the best
