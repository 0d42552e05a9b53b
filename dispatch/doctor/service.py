"""The running services: that they answer, what they say of themselves, and whom they serve."""

from collections.abc import Iterable, Iterator, Sequence

from dispatch.doctor.rows import Row, bad, ok, warn
from dispatch.live import Live
from dispatch.words import duration


def look(lives: Sequence[Live], stuck: Sequence[str], installed: str) -> Iterator[Row]:
    """Give the rows of what answered, and of what did not (`stuck`: why). `installed`: this program's version."""
    if not lives and not stuck:
        yield bad("service", "not_running")
    for why in stuck:
        yield bad("service", "stuck", why=why)
    for live in lives:
        yield from _one(live, installed)


def _one(live: Live, installed: str) -> Iterable[Row]:
    if live.version != installed:
        yield warn("service", "version", replica=live.replica, running=live.version or "?", installed=installed)
    if not live.broker_connected:
        yield bad("service", "no_broker", replica=live.replica, broker=live.broker, why=live.broker_reason)
    elif live.store_error is not None:
        yield bad("service", "no_store", replica=live.replica, why=live.store_error)
    else:
        fields = {"replica": live.replica, "up": duration(live.up_s), "version": live.version or "?"}
        yield ok("service", "serves", pid=live.pid, offices=sum(o.opened for o in live.offices), **fields)
    for office in live.offices:
        if office.refused is not None:
            yield bad("service", "refused", office=office.office, why=office.refused)
        if office.cleaned:
            yield warn("service", "cleaned", office=office.office, count=office.cleaned)
    foreign = {why: live.dropped.get(why, 0) for why in ("malformed", "bad topic", "not sent", "too large")}
    if any(foreign.values()):
        counts = ", ".join(f"{why} {count}" for why, count in foreign.items() if count)
        yield warn("service", "dropped", replica=live.replica, counts=counts)
    yield from _admission(live)


def _admission(live: Live) -> Iterable[Row]:
    admission = live.admission
    if admission is None:
        return
    if admission.error:
        yield bad("registry", "registry_error", why=admission.error)
    if admission.broker_fault:
        yield bad("logins", "broker_fault", why=admission.broker_fault)
    if admission.broker_missing:
        yield bad("logins", "missing", logins=", ".join(admission.broker_missing))
    if admission.broker_unknown:
        yield warn("logins", "unknown", logins=", ".join(admission.broker_unknown))
    if admission.clones:
        yield bad("registry", "clones", users=", ".join(admission.clones))
    if admission.kicks and admission.kicking:
        yield warn("tokens", "kicks", count=admission.kicks, why=admission.kick_error or "-")
    yield ok("registry", "registry", admitted=admission.admitted, revoked=admission.revoked, rev=admission.rev)
