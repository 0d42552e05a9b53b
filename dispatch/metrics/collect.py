"""What `/metrics` shows: names begin with `ptt_`, labels are offices, words of the protocol and webhooks, never users.

A scrape reads what was summed up last and waits for nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dispatch.alerting.metric_watch import HourMetrics
from dispatch.alerting.probe_watch import ProbeSum
from dispatch.core.office_alerts import ALERTS
from dispatch.history.plan_metrics import Metric as PlanMetric
from protocol.messages import EventType, PresenceState


class OfficeSum(Struct, frozen=True, kw_only=True):
    """One office at one moment. Durations in s; counts of events since the process's start."""

    office: str
    served: bool
    active: bool
    speaking: bool
    session_s: float
    queue: int
    members: Mapping[str, int]
    """By state of presence."""
    in_channel: int
    unpublished: int
    presses: int
    failed: int
    window_s: float
    answer_ms: Sequence[float]
    """Each vehicle's median from press to answer."""
    events: Mapping[str, int]
    denied: Mapping[str, int]
    ended: Mapping[str, int]
    alerts: frozenset[str]
    hour: HourMetrics = HourMetrics()
    """The plan's metrics of the last hour."""


class HookSum(Struct, frozen=True, kw_only=True):
    """One webhook."""

    name: str
    delivered: int
    failed: int
    dropped: int
    waiting: int


class Sum(Struct, frozen=True, kw_only=True):
    """All that is shown."""

    version: str = ""
    at_s: float = 0.0
    """When it was summed up, Unix s; 0: not yet."""
    services: int = 0
    services_connected: int = 0
    dropped: Mapping[str, int] = {}
    """Messages the services dropped since their start, by reason."""
    broker_connected: bool = False
    store_readable: bool = False
    store_bytes: int = 0
    disk_free_bytes: int = 0
    certificate_ends_s: float | None = None
    """Unix s; None: there is none that can be read."""
    offices: Sequence[OfficeSum] = ()
    webhooks: Sequence[HookSum] = ()
    probe: ProbeSum | None = None
    """None: there is no probe."""


class OfficeCollector(Collector):
    """Gives Prometheus the last sum."""

    def __init__(self, last: Callable[[], Sum]) -> None:
        self._last = last

    def describe(self) -> Iterable[Metric]:
        """Give nothing: what there is, only a sum tells."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Give every metric."""
        now = self._last()
        info = GaugeMetricFamily("ptt_build_info", "Version of the program that sums up", labels=["version"])
        info.add_metric([now.version], 1)
        yield info
        yield _gauge("ptt_last_sum_timestamp_seconds", "When these figures were summed up, Unix time", now.at_s)
        yield _gauge("ptt_services", "Floor control servers that answer on this machine", now.services)
        what = "Floor control servers of this machine that are connected to the broker"
        yield _gauge("ptt_services_connected", what, now.services_connected)
        yield _gauge("ptt_broker_connected", "Whether the alerts' own connection stands", float(now.broker_connected))
        yield _gauge("ptt_store_readable", "Whether the store can be read", float(now.store_readable))
        yield _gauge("ptt_store_bytes", "Size of the store's files", now.store_bytes)
        yield _gauge("ptt_disk_free_bytes", "Free room on the store's disk", now.disk_free_bytes)
        if now.certificate_ends_s is not None:
            what = "When the server's certificate ends, Unix time"
            yield _gauge("ptt_certificate_end_timestamp_seconds", what, now.certificate_ends_s)
        what = "Messages that floor control servers dropped since their start"
        yield _by("ptt_service_dropped_messages", what, ["reason"], [((why,), n) for why, n in now.dropped.items()])
        if now.probe is not None:
            yield from _probe(now.probe)
        yield from _offices(now.offices)
        yield from _hooks(now.webhooks)


def _probe(probe: ProbeSum) -> Iterable[Metric]:
    what = "Test presses made, since this process's start"
    yield CounterMetricFamily("ptt_probe_presses", what, value=probe.presses)
    what = "Test presses that were granted in time, since this process's start"
    yield CounterMetricFamily("ptt_probe_answered", what, value=probe.answered)
    what = "Test presses in a row, up to the newest, that were not answered"
    yield _gauge("ptt_probe_failing_presses", what, probe.failing)
    yield _gauge("ptt_probe_last_timestamp_seconds", "When the newest test press was made, Unix time", probe.last_s)
    yield _gauge("ptt_probe_unwritten_presses", "Results of test presses that wait for the store", probe.waiting)
    if probe.last_took_ms is not None:
        what = "From request to grant of the newest test press that was answered"
        yield _gauge("ptt_probe_answer_seconds", what, probe.last_took_ms / 1000)


def _offices(offices: Sequence[OfficeSum]) -> Iterable[Metric]:
    def each(name: str, what: str, value: Callable[[OfficeSum], float]) -> Metric:
        return _by(name, what, ["office"], [((o.office,), value(o)) for o in offices])

    yield each("ptt_office_served", "Whether somebody gives the floor of this office", lambda o: o.served)
    yield each("ptt_session_active", "Whether a session is running", lambda o: o.active)
    yield each("ptt_session_seconds", "For how long the running session goes on", lambda o: o.session_s)
    yield each("ptt_speaking", "Whether somebody has the floor", lambda o: o.speaking)
    yield each("ptt_queue_length", "Requests that wait for the floor", lambda o: o.queue)
    yield each("ptt_channel_members", "Members in the voice channel of the session", lambda o: o.in_channel)
    yield each("ptt_unpublished_events", "Events that no broker has acknowledged yet", lambda o: o.unpublished)
    yield each("ptt_window_presses", "Presses judged within the alerts' window", lambda o: o.presses)
    yield each("ptt_window_failed_presses", "Of those: not explained, or cut by a lost line", lambda o: o.failed)
    yield each("ptt_window_seconds", "The alerts' window", lambda o: o.window_s)
    states = [((o.office, s.value), o.members.get(s.value, 0)) for o in offices for s in PresenceState]
    yield _by("ptt_members", "Members by state of presence", ["office", "state"], states)
    for rank, name in ((0.5, "median"), (1.0, "worst")):
        found = [((o.office,), _rank(o.answer_ms, rank) / 1000) for o in offices if o.answer_ms]
        what = f"The {name} vehicle's own median from press to answer"
        yield _by(f"ptt_answer_{name}_seconds", what, ["office"], found)
    yield from _hour(offices)
    alerts = [((o.office, alert), float(alert in o.alerts)) for o in offices for alert in ALERTS]
    yield _by("ptt_alert", "Whether an alert of the office stands", ["office", "alert"], alerts)
    events = [((o.office, t.value), o.events.get(t.value, 0)) for o in offices for t in EventType]
    yield _count("ptt_events", "Events logged, since this process's start", ["office", "type"], events)
    denied = [((o.office, cause), n) for o in offices for cause, n in sorted(o.denied.items())]
    yield _count("ptt_denials", "Presses denied, since this process's start", ["office", "cause"], denied)
    ended = [((o.office, how), n) for o in offices for how, n in sorted(o.ended.items())]
    yield _count("ptt_bursts", "Bursts that ended, since this process's start", ["office", "ended"], ended)


def _hour(offices: Sequence[OfficeSum]) -> Iterable[Metric]:
    """Give the plan's five metrics, and the response time, of the last hour; what nobody measured is left out."""

    def each(name: str, what: str, value: Callable[[HourMetrics], float | None], per: int = 1) -> Metric:
        found = [((o.office,), known / per) for o in offices if (known := value(o.hour)) is not None]
        return _by(name, f"{what}, of the last hour", ["office"], found)

    def of(metric: PlanMetric) -> Callable[[HourMetrics], float | None]:
        return lambda hour: hour.value(metric)

    what = "Average from the button until the first voice frame had left"
    yield each("ptt_session_start_seconds", what, of(PlanMetric.SESSION_START), 1000)
    yield each("ptt_token_generation_seconds", "Average time a voice token took", of(PlanMetric.TOKEN), 1000)
    what = "Average of the slowest listener's joining of the channel"
    yield each("ptt_channel_join_seconds", what, of(PlanMetric.JOIN), 1000)
    yield each("ptt_burst_participants", "Average members in the channel of a burst", of(PlanMetric.PARTICIPANTS))
    yield each("ptt_heartbeat_success_ratio", "Part of the heartbeats due that came", of(PlanMetric.HEARTBEATS))
    what = "Average from the button until the first other member heard it"
    yield each("ptt_first_heard_seconds", what, lambda hour: hour.first_heard_ms, 1000)


def _hooks(hooks: Sequence[HookSum]) -> Iterable[Metric]:
    def each(value: Callable[[HookSum], int]) -> list[tuple[tuple[str, ...], float]]:
        return [((hook.name,), value(hook)) for hook in hooks]

    yield _count("ptt_webhook_delivered", "Messages delivered", ["webhook"], each(lambda h: h.delivered))
    yield _count("ptt_webhook_failed_tries", "Tries that failed", ["webhook"], each(lambda h: h.failed))
    yield _count("ptt_webhook_dropped", "Messages given up", ["webhook"], each(lambda h: h.dropped))
    yield _by("ptt_webhook_waiting", "Messages not delivered yet", ["webhook"], each(lambda h: h.waiting))


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, value=value)


def _by(name: str, what: str, labels: Sequence[str], values: Iterable[tuple[Sequence[str], float]]) -> Metric:
    made = GaugeMetricFamily(name, what, labels=labels)
    for label, value in values:
        made.add_metric(label, value)
    return made


def _count(name: str, what: str, labels: Sequence[str], values: Iterable[tuple[Sequence[str], float]]) -> Metric:
    made = CounterMetricFamily(name, what, labels=labels)
    for label, value in values:
        made.add_metric(label, value)
    return made


def _rank(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[max(0, round(part * len(ordered)) - 1)]
