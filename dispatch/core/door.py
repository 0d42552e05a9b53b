"""The office's door: floor messages of those who do not belong, signs that may be good after all, alerts of clones."""

from dispatch.core.admission import CLONE, clone_alerts
from dispatch.core.presence import Sign
from dispatch.core.state import Floor, Member, OfficeRules
from dispatch.core.strangers import shut_out, stranger
from dispatch.core.turn import Publish
from protocol.ids import OfficeId
from protocol.messages import (
    Alert,
    DenyCause,
    FloorAck,
    FloorDeny,
    FloorRelease,
    FloorRenew,
    FloorRequest,
    FloorRevoke,
    FromMember,
    Message,
    Presence,
    RevokeCause,
)
from protocol.topics import Kind


class Door:
    """Remembers who was turned away and which clone alerts the broker has; all else is in the rules and the store."""

    def __init__(self, office: OfficeId, rules: OfficeRules) -> None:
        self.turned_away = 0
        """Floor messages of those who do not belong."""
        self._office = office
        self._rules = rules
        self._refused: dict[str, Sign] = {}
        self._alerts: dict[str, Alert | None] = {}
        """Clone alerts as the broker has them; None: cleared."""

    def change_rules(self, rules: OfficeRules) -> tuple[Sign, ...]:
        """Judge by these from now on; gives the signs that were refused before, as they may be good now."""
        self._rules = rules
        refused, self._refused = self._refused, {}
        return tuple(refused.values())

    # --- floor messages ---------------------------------------------------------------------------------------------

    def answer(self, user: str, message: FromMember, known: Member | None, seen: Floor | None) -> Publish | None:
        """Give what one is told who does not belong; None where it does, and the floor is to decide.

        One that holds the floor may still keep or release it: `enforce` takes it from those who must not have it.
        """
        holds = seen is not None and seen.holder == user and not isinstance(message, FloorRequest)
        if self._rules.roll is None or holds or not self._strange(user, message, known):
            return None
        self.turned_away += 1
        rev = 0 if seen is None else seen.rev
        answer: Message
        match message:
            case FloorRequest(request_id=request_id):
                answer = FloorDeny(rev=rev, request_id=request_id, cause=DenyCause.NOT_ADMITTED)
            case FloorRelease(request_id=request_id):
                answer = FloorAck(rev=rev, request_id=request_id)
            case FloorRenew(burst=burst):
                answer = FloorRevoke(rev=rev, burst=burst, cause=RevokeCause.NO_PERMISSION)
        return Publish(office=self._office, kind=Kind.REPLY, ids=(user,), message=answer, expiry_s=2)

    def _strange(self, user: str, message: FromMember, known: Member | None) -> bool:
        if isinstance(message, FloorRenew):
            return shut_out(self._rules, user) is not None
        if known is not None and known.barred == message.request_id[:3]:
            return True
        return stranger(self._rules, user, message.request_id[0], None) is not None

    # --- signs ------------------------------------------------------------------------------------------------------

    def judged(self, signs: tuple[Sign, ...], refused: set[str]) -> None:
        """Remember the newest presence of each user that was refused, until the registry changes."""
        for sign in signs:
            if isinstance(sign.message, Presence):
                self._refused.pop(sign.user, None)
                if sign.user in refused:
                    self._refused[sign.user] = sign

    # --- alerts -----------------------------------------------------------------------------------------------------

    def broker_up(self) -> None:
        """The broker may have lost or restored alerts: what it has comes now."""
        self._alerts.clear()

    def see_alert(self, user: str, alert: Alert | None) -> None:
        """Take notice of a clone alert as the broker has it; `alerts` puts right what is not as it should be."""
        self._alerts[user] = alert

    def alerts(self) -> tuple[Publish, ...]:
        """Give the clone alerts that the broker has not, and clear those it should not have."""
        wanted = clone_alerts(self._rules, self._office)
        out = []
        for user in sorted({*wanted, *self._alerts}):
            alert = wanted.get(user)
            if self._alerts.get(user) != alert:
                self._alerts[user] = alert
                where = (user, CLONE)
                out.append(Publish(office=self._office, kind=Kind.ALERT, ids=where, message=alert, retain=True))
        return tuple(out)
