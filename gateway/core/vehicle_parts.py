"""The parts of a vehicle's core, and what each is given of the others."""

from collections.abc import Callable

from gateway.core.agora_care import AgoraCare
from gateway.core.alerts import Alerts
from gateway.core.cab import Cab
from gateway.core.context import Context
from gateway.core.disk import Disk
from gateway.core.emergency import Emergency
from gateway.core.floor_machine import FloorMachine
from gateway.core.heard import Heard
from gateway.core.hearing_again import HearingAgain
from gateway.core.levels import SoundLevels
from gateway.core.link import Link
from gateway.core.listener import Listener
from gateway.core.membership import Membership
from gateway.core.office_words import OfficeWords
from gateway.core.outlook import Outlook
from gateway.core.participant import Participant
from gateway.core.played import PlayedReports
from gateway.core.presence import PresenceKeeper
from gateway.core.press_traces import PressTraces
from gateway.core.releases import Releases
from gateway.core.self_check import SelfCheck
from gateway.core.server_clock import ServerClock
from gateway.core.tokens import Tokens
from gateway.core.upkeep import Upkeep
from gateway.core.voice_reports import VoiceReports
from gateway.core.who import Who
from gateway.core.worker_care import WorkerCare


class VehicleParts:
    """Pure: holds the parts; which event each of them is handed, and in which order, is `gateway.core.vehicle`'s."""

    def __init__(self, who: Who, chance: Callable[[], float]) -> None:
        """`chance()` gives a number in [0, 1)."""
        self._who = who
        self._ctx = ctx = Context(who.user, chance)
        self._releases = Releases(ctx)
        self.participant = Participant(ctx, self._releases, who.priority)
        self._floor = FloorMachine(self.participant, self._releases)
        self._presence = PresenceKeeper(ctx, who.presence)
        self.link = Link(ctx, self._presence, who.generation, who.boot)
        self._listener = Listener(ctx, self._presence)
        self.worker = WorkerCare(ctx, who.agora)
        self.membership = Membership(ctx, enrolled=who.enrolled, foreign=who.foreign)
        self.tokens = Tokens(ctx, used=who.agora)
        self._agora = AgoraCare(ctx)
        self._heard = Heard(ctx)
        server_clock = ServerClock()
        self._played = PlayedReports(ctx, server_clock)
        self._again = HearingAgain(
            ctx,
            self.participant,
            self._listener,
            keep=who.replay_keep,
            lang=who.lang,
            long_press=self._heard.tell,
        )
        self.levels = SoundLevels(ctx, who.mic_db, who.speaker_db)
        self._alerts = Alerts(ctx)
        self._disk = Disk(self._alerts)
        self._emergency = Emergency(ctx, self._floor, self._alerts, who.emergency)
        self._cab = Cab(ctx, self._floor, self._alerts, who.focus, who.button)
        self._check = SelfCheck(ctx, self._alerts, self.worker, self._agora, self.tokens)
        self._voice = VoiceReports(
            ctx,
            self.worker,
            self._floor,
            self._listener,
            self.tokens,
            self._agora,
            self.levels,
            self._again,
            self._played,
            lang=who.lang,
        )
        self._office = OfficeWords(
            ctx,
            self._floor,
            self._releases,
            self._presence,
            self.link,
            self._listener,
            self.tokens,
            self._again,
            self._heard,
        )
        self._outlook = Outlook(
            ctx,
            self.participant,
            self.link,
            self._listener,
            self.worker,
            self.levels,
            self._again,
            self._heard,
            self._cab,
            lang=who.lang,
        )
        self._upkeep = Upkeep(
            ctx,
            self._floor,
            self._presence,
            self.link,
            self.worker,
            self.levels,
            self._alerts,
            flags=who.flags,
            ignition=who.ignition,
            telemetry=who.telemetry,
            emergency=lambda: ctx.hands_free or ctx.counting,
            clear_emergency=lambda by, now: self._emergency.clear(by),
        )
        self._traces = PressTraces(ctx, self.participant, self.link, server_clock)
