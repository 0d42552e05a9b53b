"""`ptt-dispatch alerts`: the process beside the floor's that raises the offices' alerts and serves `/metrics`.

Its own loop may wait for the disk: nobody's press waits for it. Alerts are retained below `device/dispatch/alert/`, as
the server's own are, so that everybody who reads an office sees them; those of a process before it that stand and
should not are cleared once its connection stands.
"""

import os
import random
import signal
import time
from collections.abc import Mapping
from types import FrameType

from msgspec.structs import replace

from dispatch.about import version
from dispatch.alerting.discovery import Discovery, config, config_topic
from dispatch.alerting.probe_watch import ProbeWatch
from dispatch.alerting.settings import WebhookSettings
from dispatch.alerting.watch import Look, Watch, certificate_ends_s, store_bytes
from dispatch.alerting.webhooks import Told, Webhook
from dispatch.broker.acl import BIRTH_TOPIC, CONFIGS
from dispatch.core.office_alerts import ALERTS, Change
from dispatch.core.trouble import SERVER
from dispatch.credentials import PROBE_PASSWORD, find
from dispatch.metrics.collect import HookSum, Sum
from dispatch.metrics.server import MetricsServer
from dispatch.ports import StoreUnavailable
from dispatch.probing.place import PROBE_OFFICE
from dispatch.probing.prober import Prober
from dispatch.probing.store import ProbeStore
from dispatch.settings import DispatchSettings
from protocol.codec import Malformed, decode, encode
from protocol.ids import OfficeId
from protocol.messages import Alert, Severity, Telemetry
from protocol.topics import BadTopic, Kind, everyone, parse, topic
from service.logs import Log
from service.loop import Loop
from service.mqtt import Backoff, Connected, DialFailed, Disconnected, LinkEvent, MqttLink, Received
from service.settings import Problem, SettingsError, read_secret
from service.systemd import Notifier

LOOK_EVERY_S = 2.0
REDIAL_MIN_S, REDIAL_MAX_S = 0.5, 10.0
SLOW_SUM_EVERY_S = 60.0
"""The certificate is read so often."""

_log = Log(__name__)


class AlertsApp:
    """The process. Raises SettingsError, OSError (the metrics' port) at construction."""

    def __init__(self, settings: DispatchSettings, *, environ: Mapping[str, str] = os.environ) -> None:
        hooks = _with_secrets(settings, environ.get("CREDENTIALS_DIRECTORY"))
        self._settings = settings
        self._notifier = Notifier(environ)
        self._loop = Loop()
        self._watch = Watch(settings)
        self._prober = prober_of(settings, environ.get("CREDENTIALS_DIRECTORY"))
        self._probe = None if self._prober is None else _probe_watch(self._prober, settings)
        self._link = MqttLink(self._loop, settings.broker, self._on_link)
        self._backoff = Backoff(REDIAL_MIN_S, REDIAL_MAX_S, random.Random())
        self._name = f"ptt-dispatch-alerts-{settings.replica}"
        self._reason = "connecting"
        self._subscribed: set[OfficeId] = set()
        self._discovery = Discovery()
        self._look_at = 0.0
        self._ends_s: float | None = None
        self._ends_at = 0.0
        self._sum = Sum(version=version())
        self._hooks = [(hook, Webhook(hook)) for hook in hooks]
        self._closing = False
        metrics = settings.metrics
        self._metrics = MetricsServer(metrics.host, metrics.port, lambda: self._sum) if metrics.port else None

    def run(self) -> None:
        """Watch until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        for _, hook in self._hooks:
            hook.start()
        try:
            self._link.dial(self._name, None)
            self._notifier.ready()
            where = "" if self._metrics is None else f"{self._settings.metrics.host}:{self._metrics.port}"
            _log.info("watching", metrics=where, webhooks=len(self._hooks))
            if self._prober is not None:
                self._prober.start()
            else:
                _log.warning("no probe: availability is not measured", mend="ptt-dispatch probe makes one")
            self._loop.run(self._step)
        finally:
            self._closing = True
            if self._prober is not None and self._probe is not None:
                self._prober.close()
                self._probe.close()
            self._notifier.stopping()
            self._link.close()
            if self._metrics is not None:
                self._metrics.close()
            for _, hook in self._hooks:
                hook.close()
            self._watch.close()
            self._loop.close()
        _log.info("stopped")

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self._loop.stop()

    def _step(self, now: float) -> float:
        if now >= self._look_at:
            if self._probe is not None:
                self._probe.step(now)
            look = self._watch.look("" if self._probe is None else self._probe.unanswered)
            for office, change in look.changes:
                self._tell(office, change)
            self._sum = self._sum_up(look, now)
            self._subscribe()
            self._tell_home_assistant(now)
            standing = sum(len(alerts.standing) for _, alerts in self._watch.standing())
            self._notifier.watchdog()
            broker = "connected" if self._link.connected else self._reason
            self._notifier.status(f"{standing} alert(s) stand; broker: {broker}")
            self._look_at = time.monotonic() + LOOK_EVERY_S
        return self._look_at

    # --- telling ------------------------------------------------------------------------------------------------------

    def _tell(self, office: OfficeId, change: Change) -> None:
        self._publish(office, change.id, change.alert)
        if not change.news:
            return
        _log.warning("alert raised" if change.alert else "alert cleared", office=office, alert=change.id)
        for settings, hook in self._hooks:
            told = _told(office, change)
            if settings.severity is Severity.WARNING or told.severity == Severity.CRITICAL.value:
                hook.tell(told)

    def _publish(self, office: OfficeId, alert_id: str, alert: Alert | None) -> None:
        if self._link.connected:  # else it is told when the connection stands
            payload = b"" if alert is None else encode(alert)
            self._link.publish(topic(office, Kind.ALERT, SERVER, alert_id), payload, qos=1, retain=True)

    def _tell_home_assistant(self, now: float) -> None:
        vehicles = self._watch.vehicles
        if not self._link.connected or (vehicles is None and self._settings.admission == "registry"):
            return  # nothing is taken back before it is known who is there
        wanted = {}
        if self._settings.home_assistant.enabled:
            for user in (each for each in vehicles or () if each.office != PROBE_OFFICE):
                told = config(user.office, user.user, user.name, version())
                wanted[config_topic(user.office, user.user)] = told
        due = self._discovery.due(wanted, now)
        for name, payload in due.items():
            self._link.publish(name, payload, qos=1, retain=True)
        if due:
            gone = sum(not payload for payload in due.values())
            _log.info("home assistant", told=len(due) - gone, taken_back=gone)

    # --- the link -----------------------------------------------------------------------------------------------------

    def _on_link(self, event: LinkEvent) -> None:
        match event:
            case Connected():
                self._backoff.reset()
                self._reason = ""
                self._subscribed.clear()
                self._subscribe()
                self._link.subscribe([(CONFIGS, 1), (BIRTH_TOPIC, 1)])
                self._discovery.connected(time.monotonic())
            case Received():
                self._received(event)
            case DialFailed(reason=reason) | Disconnected(reason=reason):
                if reason != self._reason:
                    _log.warning("no broker", why=reason)
                self._reason = reason
                self._loop.call_at(time.monotonic() + self._backoff.next_delay(), self._dial)
            case _:
                pass

    def _dial(self) -> None:
        if not self._closing:
            self._link.dial(self._name, None)

    def _subscribe(self) -> None:
        """Take up every office known: its telemetry, and how each of our alerts is to stand there."""
        if not self._link.connected:
            return
        for office, alerts in self._watch.standing():
            if office in self._subscribed:
                continue
            self._subscribed.add(office)
            self._link.subscribe([(everyone(office, Kind.DEVICE_TELEMETRY), 0)])
            for alert in ALERTS:
                self._publish(office, alert, alerts.standing.get(alert))

    def _received(self, message: Received) -> None:
        if message.topic.startswith("homeassistant/"):
            self._discovery.seen(message.topic, message.payload)
            return
        try:
            where = parse(message.topic)
            read = decode(message.payload, where.kind) if message.payload else None
        except (BadTopic, Malformed):
            return  # the floor control server counts and logs them
        if where.kind is Kind.DEVICE_TELEMETRY and (read is None or isinstance(read, Telemetry)):
            self._watch.ledger(where.office).see(where.user, read)

    # --- figures ------------------------------------------------------------------------------------------------------

    def _sum_up(self, look: Look, now: float) -> Sum:
        if now >= self._ends_at:
            self._ends_s, self._ends_at = certificate_ends_s(self._settings), now + SLOW_SUM_EVERY_S
        size, free = store_bytes(self._settings.store.path)
        dropped: dict[str, int] = {}
        for live in look.lives:
            for why, count in live.dropped.items():
                dropped[why] = dropped.get(why, 0) + count
        return replace(
            self._sum,
            at_s=time.time(),
            services=len(look.lives),
            services_connected=sum(live.broker_connected for live in look.lives),
            dropped=dropped,
            broker_connected=self._link.connected,
            store_readable=not look.store_error,
            store_bytes=size,
            disk_free_bytes=free,
            certificate_ends_s=self._ends_s,
            offices=look.offices,
            probe=None if self._probe is None else self._probe.total,
            webhooks=[
                HookSum(
                    name=hook.name,
                    delivered=hook.delivered,
                    failed=hook.failed,
                    dropped=hook.dropped,
                    waiting=hook.waiting,
                )
                for _, hook in self._hooks
            ],
        )


def prober_of(settings: DispatchSettings, folder: str | None) -> Prober | None:
    """Give the probe; None where it has no login, or, at a broker without logins, no office to press in.

    Raises SettingsError.
    """
    if settings.admission == "open":
        return Prober(settings.broker, None, settings.probe) if PROBE_OFFICE in settings.offices else None
    path = find(settings, folder, PROBE_PASSWORD)
    return None if path is None else Prober(settings.broker, read_secret(path), settings.probe)


def _probe_watch(prober: Prober, settings: DispatchSettings) -> ProbeWatch:
    url = settings.store.sqlalchemy_url
    return ProbeWatch(prober, settings.probe, lambda: _open(settings, url), lambda: time.time_ns() // 1_000_000)


def _open(settings: DispatchSettings, url: str) -> ProbeStore:
    """Open the store where there is one: who watches makes none. Raises StoreUnavailable."""
    path = settings.store.path
    if path is not None and not path.exists():
        raise StoreUnavailable(f"there is no store at {path} -> has ptt-dispatch serve run with this configuration?")
    return ProbeStore(url)


def _told(office: OfficeId, change: Change) -> Told:
    alert = change.alert or change.before
    if alert is None:
        raise ValueError(f"a change of {change.id} from nothing to nothing")
    return Told(
        region=office.region,
        office=office.office,
        alert=change.id,
        state="cleared" if change.alert is None else "raised",
        severity=alert.severity.value,
        what=alert.what,
        mend=alert.mend,
        since=alert.since,
        at=time.time_ns() // 1_000_000,
    )


def _with_secrets(settings: DispatchSettings, folder: str | None) -> list[WebhookSettings]:
    """Give the webhooks with their secrets. Raises SettingsError where a message would go out unsigned by mistake."""
    found, problems = [], []
    for place, hook in enumerate(settings.alerts.webhook):
        path = find(settings, folder, f"webhook-{hook.name}")
        secret = hook.secret if hook.secret is not None or path is None else read_secret(path)
        if secret is None and hook.url.startswith("http://"):
            problems.append(
                Problem(
                    source="dispatch.toml",
                    key=f"alerts.webhook[{place}]",
                    what="goes over plain HTTP and has no secret: nobody could tell who sent it",
                    mend=f"use https://, or put a secret into ptt.webhook-{hook.name}",
                )
            )
        found.append(replace(hook, secret=secret))
    if problems:
        raise SettingsError(tuple(problems))
    return found
