"""What a process can do to be on time: a quiet collector, quick thread changes, real-time priority where granted."""

import ctypes
import gc
import os
import resource
import signal
import sys

SWITCH_S = 0.0005
"""An audio callback waits no longer than this for a Python thread that computes; the default is 5 ms."""
_GC_THRESHOLD = 20_000
_PRIORITY = 10
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel end this process when the thread that started it ends. The closed pipe does it first."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def settle() -> str:
    """Call once everything is set up, before the audio threads start, which inherit it; gives what was reached."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, 20, 50)
    sys.setswitchinterval(SWITCH_S)
    soft, _hard = resource.getrlimit(resource.RLIMIT_RTPRIO)
    if soft == 0:  # not granted by the unit; that root could do it anyway is no reason to
        return "normal priority: LimitRTPRIO is not set"
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(_PRIORITY if soft < 0 else min(_PRIORITY, soft)))
    except OSError as error:
        return f"normal priority: {error.strerror}"
    return "real-time priority"


def ordinary_children() -> None:
    """Have processes that the calling thread starts run at normal priority; the thread itself keeps its own."""
    policy = os.sched_getscheduler(0)
    if policy & ~os.SCHED_RESET_ON_FORK == os.SCHED_RR:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_getparam(0))
