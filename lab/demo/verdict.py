"""Whether the story was as it must be: every burst in every ear, every silence, every time. Writes the sound files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from lab.demo.checks import Check, check
from lab.demo.facts import times, told
from lab.demo.outcome import Burst, Outcome, Refusal
from lab.demo.script import DESK
from lab.demo.tone import LATE_S_MAX, take_out
from lab.measure.align import Alignment, align
from lab.measure.search import score
from lab.measure.sound import RATE_HZ, Recording, Sound, as_int16, dbfs, from_int16, peak, write
from protocol.worker_settings import CodecSettings
from voice.opus import Decoder, Encoder

SILENT_DBFS = -60.0
AFTER_S = 0.6
"""What was said until key-up is heard within this after it."""
AFTER_KILL_S = 0.3
"""After a kill nothing but what was on its way, and its concealment, is heard."""
IN_FLIGHT_S = 0.15
PLANTED_DB = -20.0
FOUND_SHARE_MAX = 0.65
"""The refused sentence is not there when less than this of the planted copy's score is found."""
LATE_TAIL_S_MAX = 2.0
"""What is heard behind a burst's end, no later than this, may be its own end, held up by a machine that stood."""
TONE_MIN, TONE_MS_MAX = 0.05, 300.0
"""How loud each beep of the page's tone is at least (1: full scale), and how soon it sounds."""
PAGE_STALL_S = 0.1
"""A browser on a busy machine may be kept waiting so long, once a burst: whoever listens invents sound for it."""
HEARD_MS_MAX = 500.0
LAG_MS_MAX = 500.0


class Hearing(Struct, frozen=True, kw_only=True):
    """One burst in one ear."""

    n: int
    speaker: str
    listener: str
    granted_to_heard_ms: float
    first_heard_s: float
    alignment: Alignment


class Verdict(Struct, frozen=True, kw_only=True):
    """The checks and the measures behind them."""

    checks: tuple[Check, ...]
    hearings: tuple[Hearing, ...]
    search: dict[str, Any]

    @property
    def failed(self) -> tuple[Check, ...]:
        """Those that do not hold."""
        return tuple(check for check in self.checks if not check.ok)


def judge(outcome: Outcome, mouths: dict[str, Recording], ears: dict[str, Recording], out: Path) -> Verdict:
    """Measure everything, and write `said-` and `heard-` files into `out`."""
    checks: list[Check] = []
    hearings: list[Hearing] = []
    ears = dict(ears)
    for refusal in outcome.refusals:
        if refusal.page:
            ears[refusal.user], found = _without_tone(ears[refusal.user], refusal)
            checks.append(found)
    for burst in outcome.bursts:
        said = mouths[burst.speaker].cut(burst.edge_s, burst.end_s)
        write(out / f"said-{burst.speaker}-{burst.n}.wav", said)
        for listener in burst.listeners:
            heard = _hear(burst, ears[listener])
            write(out / f"heard-{listener}-{burst.n}.wav", heard)
            hearing = _hearing(burst, listener, said, heard)
            hearings.append(hearing)
            checks += _heard_checks(hearing, burst)
    for user, ear in ears.items():
        checks.append(_silence(user, ear, outcome))
    search = _search(outcome, mouths, ears, out)
    checks += _search_checks(search)
    checks += times(outcome)
    checks += told(outcome)
    return Verdict(checks=tuple(checks), hearings=tuple(hearings), search=search)


def _without_tone(ear: Recording, refusal: Refusal) -> tuple[Recording, Check]:
    rest, tone = take_out(ear, refusal.told_s)
    late_ms = (tone.at_s - refusal.told_s) * 1000
    loud = " and ".join(f"{20 * np.log10(max(peak, 1e-6)):.0f}" for peak in tone.peaks)
    span = (refusal.edge_s, refusal.told_s + LATE_S_MAX)
    ok = min(tone.peaks) >= TONE_MIN and late_ms <= TONE_MS_MAX
    detail = f"two beeps of {loud} dBFS, {late_ms:.0f} ms after the page shows it"
    return rest, check("toned", ok, detail, span)


def _hear(burst: Burst, ear: Recording) -> Sound:
    return ear.cut(burst.edge_s, burst.end_s + (AFTER_KILL_S if burst.killed else AFTER_S))


def _hearing(burst: Burst, listener: str, said: Sound, heard: Sound) -> Hearing:
    stall_s = PAGE_STALL_S if DESK in (listener, burst.speaker) else 0.0
    tail_s = IN_FLIGHT_S + burst.slower_s if burst.killed else 0.0
    loud = np.flatnonzero(np.abs(heard) > 10 ** (SILENT_DBFS / 20))
    first_heard_s = burst.edge_s + (float(loud[0]) / RATE_HZ if len(loud) else float("nan"))
    return Hearing(
        n=burst.n,
        speaker=burst.speaker,
        listener=listener,
        granted_to_heard_ms=(first_heard_s - burst.handled_s) * 1000,
        first_heard_s=first_heard_s,
        alignment=align(said, heard, tail_s=tail_s, slower_s=burst.slower_s, stall_s=stall_s),
    )


def _heard_checks(hearing: Hearing, burst: Burst) -> list[Check]:
    a = hearing.alignment
    values: Any = {"n": hearing.n, "listener": hearing.listener, "speaker": hearing.speaker}
    measured = (
        f"{a.voiced_ms:.0f} ms of voice, likeness {a.likeness_mean:.2f} (worst {a.likeness_min:.2f}), "
        f"missing {a.missing_ms:.0f} ms, extra {a.extra_ms:.0f} ms, lag {a.lag_start_ms:.0f} → {a.lag_end_ms:.0f} ms"
    )
    span = (burst.edge_s, burst.end_s + AFTER_S)
    lag_ok = 0 < a.lag_end_ms <= LAG_MS_MAX and a.lag_start_ms > 0 and a.lag_max_ms <= LAG_MS_MAX
    return [
        check("heard_killed" if burst.killed else "heard", a.whole, "; ".join(a.problems) or measured, span, **values),
        check(
            "in_time",
            **values,
            ok=lag_ok and hearing.granted_to_heard_ms <= HEARD_MS_MAX,
            detail=f"granted→heard {hearing.granted_to_heard_ms:.0f} ms, mouth→ear {a.lag_start_ms:.0f} ms at first, "
            f"{a.lag_end_ms:.0f} ms at last, {a.lag_max_ms:.0f} ms at most",
            span=span,
        ),
    ]


def _silence(user: str, ear: Recording, outcome: Outcome) -> Check:
    """Outside of the bursts it listens to, an ear hears nothing: no own speech, no refused one, no late frame."""
    sound = ear.sound.copy()
    for burst in outcome.bursts:
        if user in burst.listeners:
            first, last = (
                max(0, round((at_s - ear.epoch_s) * RATE_HZ))
                for at_s in (burst.handled_s, burst.end_s + (AFTER_KILL_S if burst.killed else AFTER_S))
            )
            sound[first:last] = 0
    loud = np.flatnonzero(np.abs(sound) > 10 ** (SILENT_DBFS / 20))
    where = f", first {float(loud[0]) / RATE_HZ:.3f} s into its recording" if len(loud) else ""
    return check(
        "silent",
        user=user,
        ok=not len(loud),
        detail=f"peak there {dbfs(peak(sound)):.0f} dBFS{where}",
        span=_late_tail(user, ear.epoch_s + loud[0] / RATE_HZ, ear.epoch_s + loud[-1] / RATE_HZ, outcome)
        if len(loud)
        else None,
    )


def _late_tail(user: str, first_s: float, last_s: float, outcome: Outcome) -> tuple[float, float] | None:
    """The span of the one burst whose late end all of this could be; None where it is none's."""
    for burst in outcome.bursts:
        if user in burst.listeners and burst.end_s <= first_s and last_s <= burst.end_s + LATE_TAIL_S_MAX:
            return burst.edge_s, last_s
    return None


def _search(outcome: Outcome, mouths: dict[str, Recording], ears: dict[str, Recording], out: Path) -> dict[str, Any]:
    """Look for the refused sentence in every ear, and prove that it would be found there: plant it PLANTED_DB down,
    under somebody's voice.

    The same driver's own talks are left out: the same voice says the same syllables. What is heard then is held
    against what was said, step by step, by `align`, to which anything else would be extra.
    """
    results: dict[str, Any] = {"planted_db": PLANTED_DB, "ears": {}}
    for refusal in outcome.refusals:
        found = results["ears"][refusal.user] = {}
        said = mouths[refusal.user].cut(refusal.edge_s, refusal.end_s)
        write(out / f"said-{refusal.user}-refused.wav", said)
        start_s = max(burst.edge_s for burst in outcome.bursts if burst.edge_s <= refusal.edge_s)
        copy = _coded(said) * np.float32(10 ** (PLANTED_DB / 20))
        for user, ear in ears.items():
            heard = ear.cut(start_s, min(ear.end_s, outcome.bursts[-1].end_s + AFTER_S))
            for own in (b for b in outcome.bursts if b.speaker == refusal.user and b.edge_s >= start_s):
                heard[round((own.edge_s - start_s) * RATE_HZ) : round((own.end_s + AFTER_S - start_s) * RATE_HZ)] = 0
            planted = heard.copy()
            under = next(
                b for b in outcome.bursts if user in b.listeners and b.speaker != refusal.user and b.edge_s >= start_s
            )
            begin = round((under.edge_s + 0.3 - start_s) * RATE_HZ)
            room = min(len(copy), len(planted) - begin)
            planted[begin : begin + room] += copy[:room]
            planted = from_int16(as_int16(planted))
            found[user] = {"found": score(said, heard), "planted": score(said, planted)}
    return results


def _search_checks(search: dict[str, Any]) -> list[Check]:
    return [
        check(
            "not_leaked",
            speaker=speaker,
            user=user,
            ok=result["planted"] > 0 and result["found"] < FOUND_SHARE_MAX * result["planted"],
            detail=f"score {result['found']:.1f}; a copy {-search['planted_db']:.0f} dB down scores "
            f"{result['planted']:.1f} there",
        )
        for speaker, ears in search["ears"].items()
        for user, result in ears.items()
    ]


def _coded(sound: Sound) -> Sound:
    """Send sound through the codec, as a leak would have gone."""
    encoder, decoder = Encoder(RATE_HZ, CodecSettings()), Decoder(RATE_HZ)
    pcm = as_int16(sound)
    size = encoder.packet_bytes
    heard = b"".join(decoder.decode(encoder.encode(pcm[i : i + size])) for i in range(0, len(pcm) - size + 1, size))
    return from_int16(heard)
