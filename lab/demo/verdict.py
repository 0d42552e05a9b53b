"""Whether the story was as it must be: every burst in every ear, every silence, every time. Writes the sound files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from lab.demo.story import Burst, Outcome
from lab.measure.align import Alignment, align
from lab.measure.search import score
from lab.measure.sound import RATE_HZ, Recording, Sound, as_int16, dbfs, from_int16, peak, write
from protocol.messages import DenyCause
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
GRANTED_MS_MAX = 300.0
HEARD_MS_MAX = 500.0
LAG_MS_MAX = 500.0
KILL_IDLE_MS_MAX = 5000.0
JOIN_MS_MAX = 3000.0
MOTOR_OFF_MS_MAX = 40.0
WHOLE_SESSION = {"SESSION_STARTED": 1, "USER_JOINED": 3, "SPEAKER_CHANGED": 2, "SESSION_ENDED": 1, "USER_LEFT": 3}
OPEN_SESSION = {"SESSION_STARTED": 1, "USER_JOINED": 3, "SPEAKER_CHANGED": 2, "USER_LEFT": 1}
"""Least numbers of events: of the session that ended, and of the one in which a speaker was killed."""


class Check(Struct, frozen=True, kw_only=True):
    """One thing that must be so."""

    name: str
    ok: bool
    detail: str


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
    checks += _times(outcome)
    checks += _told(outcome)
    return Verdict(checks=tuple(checks), hearings=tuple(hearings), search=search)


def _hear(burst: Burst, ear: Recording) -> Sound:
    return ear.cut(burst.edge_s, burst.end_s + (AFTER_KILL_S if burst.killed else AFTER_S))


def _hearing(burst: Burst, listener: str, said: Sound, heard: Sound) -> Hearing:
    loud = np.flatnonzero(np.abs(heard) > 10 ** (SILENT_DBFS / 20))
    first_heard_s = burst.edge_s + (float(loud[0]) / RATE_HZ if len(loud) else float("nan"))
    return Hearing(
        n=burst.n,
        speaker=burst.speaker,
        listener=listener,
        granted_to_heard_ms=(first_heard_s - burst.handled_s) * 1000,
        first_heard_s=first_heard_s,
        alignment=align(said, heard, tail_s=IN_FLIGHT_S if burst.killed else 0.0),
    )


def _heard_checks(hearing: Hearing, burst: Burst) -> list[Check]:
    a = hearing.alignment
    name = f"burst {hearing.n}: {hearing.listener} hears {hearing.speaker}"
    kind = "up to the kill" if burst.killed else "wholly and once"
    measured = (
        f"{a.voiced_ms:.0f} ms of voice, likeness {a.likeness_mean:.2f} (worst {a.likeness_min:.2f}), "
        f"missing {a.missing_ms:.0f} ms, extra {a.extra_ms:.0f} ms, lag {a.lag_start_ms:.0f} → {a.lag_end_ms:.0f} ms"
    )
    lag_ok = 0 < a.lag_end_ms <= LAG_MS_MAX and a.lag_start_ms > 0 and a.lag_max_ms <= LAG_MS_MAX
    return [
        Check(name=f"{name} {kind}", ok=a.whole, detail="; ".join(a.problems) or measured),
        Check(
            name=f"{name} in time",
            ok=lag_ok and hearing.granted_to_heard_ms <= HEARD_MS_MAX,
            detail=f"granted→heard {hearing.granted_to_heard_ms:.0f} ms, mouth→ear {a.lag_start_ms:.0f} ms at first, "
            f"{a.lag_end_ms:.0f} ms at last, {a.lag_max_ms:.0f} ms at most",
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
    return Check(
        name=f"{user}'s ear is silent but for what others say with the floor",
        ok=not len(loud),
        detail=f"peak there {dbfs(peak(sound)):.0f} dBFS{where}",
    )


def _search(outcome: Outcome, mouths: dict[str, Recording], ears: dict[str, Recording], out: Path) -> dict[str, Any]:
    """Look for the refused sentence in every ear, and prove that it would be found there: plant it PLANTED_DB down,
    under somebody's voice.

    The same driver's own talks are left out: the same voice says the same syllables. What is heard then is held
    against what was said, step by step, by `align`, to which anything else would be extra.
    """
    results: dict[str, Any] = {"planted_db": PLANTED_DB, "ears": {}}
    for refusal in outcome.refusals:
        said = mouths[refusal.user].cut(refusal.edge_s, refusal.end_s)
        write(out / f"said-{refusal.user}-refused.wav", said)
        copy = _coded(said) * np.float32(10 ** (PLANTED_DB / 20))
        for user, ear in ears.items():
            start_s = outcome.bursts[0].edge_s
            heard = ear.cut(start_s, min(ear.end_s, outcome.bursts[-1].end_s + AFTER_S))
            for own in (burst for burst in outcome.bursts if burst.speaker == refusal.user):
                heard[round((own.edge_s - start_s) * RATE_HZ) : round((own.end_s + AFTER_S - start_s) * RATE_HZ)] = 0
            planted = heard.copy()
            under = next(b for b in outcome.bursts if user in b.listeners and b.speaker != refusal.user)
            begin = round((under.edge_s + 0.3 - start_s) * RATE_HZ)
            room = min(len(copy), len(planted) - begin)
            planted[begin : begin + room] += copy[:room]
            planted = from_int16(as_int16(planted))
            results["ears"][user] = {"found": score(said, heard), "planted": score(said, planted)}
    return results


def _search_checks(search: dict[str, Any]) -> list[Check]:
    return [
        Check(
            name=f"the refused speech is not in {user}'s ear",
            ok=result["planted"] > 0 and result["found"] < FOUND_SHARE_MAX * result["planted"],
            detail=f"score {result['found']:.1f}; a copy {-search['planted_db']:.0f} dB down scores "
            f"{result['planted']:.1f} there",
        )
        for user, result in search["ears"].items()
    ]


def _coded(sound: Sound) -> Sound:
    """Send sound through the codec, as a leak would have gone."""
    encoder, decoder = Encoder(RATE_HZ, CodecSettings()), Decoder(RATE_HZ)
    pcm = as_int16(sound)
    size = encoder.packet_bytes
    heard = b"".join(decoder.decode(encoder.encode(pcm[i : i + size])) for i in range(0, len(pcm) - size + 1, size))
    return from_int16(heard)


def _times(outcome: Outcome) -> list[Check]:
    checks = []
    for burst in outcome.bursts:
        ms = (burst.handled_s - burst.edge_s) * 1000
        checks.append(
            Check(
                name=f"burst {burst.n}: {burst.speaker} is granted the floor",
                ok=0 < ms <= GRANTED_MS_MAX,
                detail=f"{ms:.1f} ms from the edge to Floor Granted handled",
            )
        )
    for refusal in outcome.refusals:
        deny, ms = refusal.deny, (refusal.told_s - refusal.edge_s) * 1000
        right = (
            deny.cause is DenyCause.ANOTHER_HAS_PERMISSION
            and deny.speaker == outcome.bursts[0].speaker
            and bool(deny.speaker_name)
            and deny.remaining_s is not None
            and 0 < deny.remaining_s <= 30
        )
        checks.append(
            Check(
                name=f"{refusal.user} is refused with cause, name and remaining time",
                ok=right and ms <= GRANTED_MS_MAX,
                detail=f"{deny.cause.value}, {deny.speaker_name}, {deny.remaining_s} s; driver told after {ms:.1f} ms",
            )
        )
    for number, (event_id, joins) in enumerate(outcome.joins.items(), 1):
        times = ", ".join(f"{user} {ms:.0f} ms" for user, ms in joins.items())
        checks.append(
            Check(
                name=f"session {number}: all join by themselves",
                ok=max(joins.values()) <= JOIN_MS_MAX,
                detail=f"{times} after the grant ({event_id})",
            )
        )
    checks.append(
        Check(
            name="the answer within the hang time costs no join",
            ok=outcome.answer_joins == 0,
            detail=f"{outcome.answer_joins} members joined or left during it",
        )
    )
    checks.append(
        Check(
            name="the session ends and all leave",
            ok=len(outcome.left) == 3,
            detail=", ".join(
                f"{user} {(at_s - outcome.session_over_s) * 1000:.0f} ms" for user, at_s in outcome.left.items()
            )
            + " after its end",
        )
    )
    checks.append(
        Check(
            name="the killed speaker's floor is freed",
            ok=0 < outcome.kill_idle_ms <= KILL_IDLE_MS_MAX,
            detail=f"{outcome.kill_idle_ms:.0f} ms from SIGKILL to the idle floor; presence: {outcome.dead_presence}",
        )
    )
    return checks


def _told(outcome: Outcome) -> list[Check]:
    """What monitors and drivers were told beside."""
    checks = [
        Check(
            name="every message of the office can be read",
            ok=not outcome.unreadable,
            detail="; ".join(outcome.unreadable[:3]) or f"{outcome.messages} messages",
        )
    ]
    for refusal in outcome.refusals:
        pattern = refusal.motor_ms[:2]
        checks.append(
            Check(
                name=f"{refusal.user}'s driver feels the refusal",
                ok=len(pattern) == 2 and all(abs(ms - 80) <= MOTOR_OFF_MS_MAX for ms in pattern),
                detail=f"motor on for {' and '.join(f'{ms:.0f}' for ms in pattern)} ms (80 and 80 are meant)",
            )
        )
    for event_id, wanted in zip(outcome.joins, (WHOLE_SESSION, OPEN_SESSION), strict=False):
        seen = outcome.events.get(event_id, [])
        missing = sorted(name for name in wanted if seen.count(name) < wanted[name])
        counted = ", ".join(f"{seen.count(name)} {name}" for name in sorted(set(seen)))
        checks.append(
            Check(
                name=f"the log of events tells session {list(outcome.joins).index(event_id) + 1}",
                ok=not missing,
                detail=f"missing: {', '.join(missing)}; seen: {counted}" if missing else counted,
            )
        )
    return checks
