"""What the driver sees while nothing happens, and hears when something does."""

from collections.abc import Iterable

from gateway.core.context import Context
from gateway.core.indicators import TABLE, ahead, sentence
from gateway.core.link import Link
from gateway.core.participant import Participant
from gateway.core.participant_words import State
from gateway.core.told import Told
from gateway.core.words import Effect, Look, Tell, ToWorker
from protocol.messages import Lifecycle, Priority
from protocol.worker import Cue, Prepare, Say


def sounds(told: Iterable[Effect], lang: str) -> list[ToWorker]:
    """Give what the worker is to sound and say for each thing told, in `ko` or `en`."""
    found = []
    for effect in told:
        if not isinstance(effect, Tell):
            continue
        row = TABLE[effect.what]
        if row.sound is not None and not effect.short:
            found.append(ToWorker(command=Cue(sound=row.sound)))
        if effect.what is Told.REPLAY:
            continue  # the worker says it itself, right before what it replays
        text = sentence(
            effect.what,
            lang,
            effect.name,
            effect.remaining_s,
            effect.count,
            effect.ago_s,
            of=effect.of,
            short=effect.short,
        )
        if text:
            found.append(ToWorker(command=Say(text=text[:300], lang=lang, urgent=row.urgent)))
    return found


def prepared(lang: str) -> list[ToWorker]:
    """Give what a new worker is to make ready to say."""
    return [ToWorker(command=Prepare(text=text, lang=lang)) for text in ahead(lang)]


def look(ctx: Context, participant: Participant, link: Link, listening: bool) -> Look:
    """Give what the status light shows."""
    if ctx.counting:
        return Look.HOLDING
    match participant.state:
        case State.PENDING_REQUEST:
            return Look.ASKING
        case State.QUEUED:
            return Look.WAITING
        case State.HAS_PERMISSION:
            if not participant.transmitting:
                return Look.MUTED
            return Look.ENDING if participant.talk is not None and participant.talk.ending else Look.TALKING
        case State.PENDING_RELEASE if participant.talk is not None:
            return Look.TALKING
    if ctx.identifying:
        return Look.IDENTIFY
    if ctx.barred or (link.refused and not ctx.link_up):
        return Look.NOT_ENROLLED
    if not ctx.link_up:
        return Look.NO_LINK
    if ctx.voice_problem is not None:
        return Look.NO_VOICE
    if listening:
        urgent = ctx.session is not None and ctx.session.priority is Priority.EMERGENCY
        return Look.EMERGENCY if urgent else Look.LISTENING
    return Look.PARKED if ctx.lifecycle in (Lifecycle.PARKED, Lifecycle.SHUTTING_DOWN) else Look.READY
