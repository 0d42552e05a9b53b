"""What may wait, done by a thread behind the floor's loop: clones told to the registry, Agora's kicking rules.

Changes of the registry wait for other processes' transactions, and Agora's REST interface answers when it likes: none
of that may stand in a grant's way. What fails is tried again, ever more rarely, as long as it is still to be done.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from dispatch.agora.kicking import KickingBusy, KickingError
from dispatch.ports import StoreUnavailable
from dispatch.registry.port import Registry, RegistryError
from dispatch.registry.words import Kick
from protocol.ids import OfficeId
from service.logs import Log

RETRY_MIN_S, RETRY_MAX_S = 1.0, 60.0
LOOK_EVERY_S = 30.0
"""Kicks are looked for so often although nobody said that there are any: another replica may have failed at one."""
CLONES_MAX = 1000
KICKS_SHOWN = 100
CLOSE_S = 2.0
_log = Log(__name__)


class Kicking(Protocol):
    """Agora's kicking rules; `dispatch.agora.kicking.KickingClient` is one. Both raise KickingError."""

    def make(self, channel: str, uid: int, minutes: int) -> int:
        """Put a uid out of a channel; gives the rule's id."""

    def lift(self, rule_id: int) -> None:
        """Delete a rule."""


class Chores:
    """The thread `dispatch-chores`. Its methods may be called from any thread and never wait."""

    def __init__(
        self, registry: Registry, kicking: Kicking | None, minutes: int, told: Callable[[], None] = lambda: None
    ) -> None:
        """`kicking` None: not configured, kicks stay where they are. `minutes`: how long a rule stands.

        `told` is called in the thread when `kicks` may have changed.
        """
        self.kicks: tuple[Kick, ...] = ()
        """Kicking rules still to be made or lifted, at most KICKS_SHOWN; as of the last look."""
        self._registry = registry
        self._kicking = kicking
        self._minutes = minutes
        self._told = told
        self._changed = threading.Condition()
        self._clones: OrderedDict[tuple[OfficeId, str, str], None] = OrderedDict()
        self._look = True
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="dispatch-chores", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End after the call under way, at most CLOSE_S later; what is left undone is done at the next start."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join(CLOSE_S)

    def clone(self, office: OfficeId, user: str, hardware: str) -> None:
        """Have the registry note a clone; past CLONES_MAX the oldest is forgotten (it comes again)."""
        with self._changed:
            self._clones[office, user, hardware] = None
            if len(self._clones) > CLONES_MAX:
                self._clones.popitem(last=False)
            self._changed.notify()

    def look(self) -> None:
        """The registry has changed: look for kicks."""
        with self._changed:
            self._look = True
            self._changed.notify()

    # --- the thread -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        retry_s = 0.0
        while True:
            with self._changed:
                if retry_s:
                    self._changed.wait_for(lambda: self._ending, retry_s)
                else:
                    self._changed.wait_for(lambda: self._ending or self._look or self._clones, LOOK_EVERY_S)
                if self._ending:
                    return
                self._look = False
                clones = tuple(self._clones)
            try:
                failed_s = self._note(clones) or self._kick()
            except StoreUnavailable as error:
                _log.warning("registry unavailable, what it needs is done later", why=error)
                failed_s = RETRY_MIN_S
            retry_s = min(max(failed_s, retry_s * 2), RETRY_MAX_S) if failed_s else 0.0

    def _note(self, clones: tuple[tuple[OfficeId, str, str], ...]) -> float:
        for office, user, hardware in clones:
            try:
                self._registry.note_clone(office, user, hardware)
            except RegistryError as error:  # the user is gone meanwhile
                _log.warning("clone of nobody", office=office, user=user, why=error)
            with self._changed:
                self._clones.pop((office, user, hardware), None)
        return 0.0

    def _kick(self) -> float:
        """Carry out what there is; gives how long to wait before trying again, or 0 where nothing failed."""
        kicks = self._registry.kicks()
        failed_s = 0.0
        if self._kicking is not None:
            for kick in kicks:
                if failed_s or self._ending:
                    break
                failed_s = self._carry_out(kick, self._kicking)
            kicks = self._registry.kicks()
        self.kicks = kicks[:KICKS_SHOWN]
        self._told()
        return failed_s

    def _carry_out(self, kick: Kick, kicking: Kicking) -> float:
        try:
            if not kick.lift:
                self._registry.kick_done(kick.id, kicking.make(kick.channel, kick.uid, self._minutes))
            else:
                if kick.rule_id is not None:
                    kicking.lift(kick.rule_id)
                self._registry.kick_done(kick.id, None)
        except KickingError as error:
            self._registry.kick_failed(kick.id, str(error))
            _log.warning("kicking rule failed, tried again", channel=kick.channel, uid=kick.uid, why=error)
            return max(RETRY_MIN_S, error.retry_s if isinstance(error, KickingBusy) else 0.0)
        _log.info("kicking rule lifted" if kick.lift else "kicking rule made", channel=kick.channel, uid=kick.uid)
        return 0.0
