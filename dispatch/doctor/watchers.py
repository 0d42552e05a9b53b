"""The services beside the floor's: dashboard and alerts, and the logins that they and the probe have at the broker."""

import time
from collections.abc import Iterator, Mapping

import requests
from cryptography.hazmat.primitives import serialization
from prometheus_client.parser import text_string_to_metric_families

from dispatch import pki
from dispatch.doctor.papers import shows
from dispatch.doctor.rows import Row, bad, ok, warn
from dispatch.probing.place import PROBE_LOGIN
from dispatch.settings import DispatchSettings
from protocol.login import WEB_LOGIN

ANSWER_S = 3.0
STALE_S = 30.0
"""Figures are summed up every 2 s; of a process that hangs they are older."""

Logins = Mapping[str, bool]
"""Every login that the broker knows -> whether it is shut."""


def web(settings: DispatchSettings, logins: Logins | None) -> Iterator[Row]:
    """Give the dashboard's rows. `logins` None: the broker's were not read, or it has none."""
    rest = settings.rest
    if rest is None:
        return  # without certificates there is none
    try:
        wanted = pki.read_certificate(rest.certificate).public_bytes(serialization.Encoding.DER)
    except pki.PkiError:
        return  # the certificates' own rows say so
    listens = "localhost" if settings.web.host in ("0.0.0.0", "::") else settings.web.host
    row = shows("web", listens, settings.web.port, wanted)
    yield row
    if row.what == "web_silent" or logins is None:
        return
    own = [login for login in logins if login.startswith(WEB_LOGIN)]
    if own and not all(logins[login] for login in own):
        yield ok("web", "web_login", login=", ".join(sorted(own)))
    else:
        yield bad("web", "web_no_login", login=f"{WEB_LOGIN}-{settings.replica}")


def alerts(settings: DispatchSettings, logins: Logins | None, now_s: float | None = None) -> Iterator[Row]:
    """Give the rows of the alerts and the probe, as `/metrics` shows them; `now_s` is Unix time."""
    metrics = settings.metrics
    if not metrics.port:
        yield warn("alerts", "alerts_untold")
        return
    host = "127.0.0.1" if metrics.host in ("0.0.0.0", "::") else metrics.host
    at = f"[{host}]:{metrics.port}" if ":" in host else f"{host}:{metrics.port}"
    try:
        figures = _scrape(f"http://{at}/metrics")
    except (requests.RequestException, ValueError) as error:
        yield warn("alerts", "alerts_silent", at=at, why=_short(error))
        return
    if "ptt_last_sum_timestamp_seconds" not in figures:
        yield bad("alerts", "alerts_foreign", at=at)
        return
    now_s = time.time() if now_s is None else now_s
    age_s = now_s - figures["ptt_last_sum_timestamp_seconds"]
    if age_s > STALE_S:
        yield bad("alerts", "alerts_stuck", seconds=round(age_s))
    elif not figures.get("ptt_broker_connected"):
        yield bad("alerts", "alerts_no_broker")
    else:
        yield ok("alerts", "alerts", at=at)
    yield _probe(settings, figures, logins, now_s)


def _probe(settings: DispatchSettings, figures: Mapping[str, float], logins: Logins | None, now_s: float) -> Row:
    if "ptt_probe_presses_total" not in figures:
        return warn("probe", "probe_none")
    if logins is not None and logins.get(PROBE_LOGIN, True):
        return bad("probe", "probe_no_login", login=PROBE_LOGIN)
    failing, last_s = round(figures["ptt_probe_failing_presses"]), figures["ptt_probe_last_timestamp_seconds"]
    if failing:
        return bad("probe", "probe_failing", count=failing)
    if not last_s:
        return ok("probe", "probe_begins", every=f"{settings.probe.every_s:g}")
    if now_s - last_s > 3 * settings.probe.every_s:
        return bad("probe", "probe_stands", seconds=round(now_s - last_s))
    took = figures.get("ptt_probe_answer_seconds", 0.0)
    return ok("probe", "probe", seconds=round(now_s - last_s), ms=f"{took * 1000:.1f}")


def _scrape(url: str) -> dict[str, float]:
    """Give the metrics that have no labels. Raises RequestException, ValueError (what answers is something else)."""
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(url, timeout=ANSWER_S, allow_redirects=False)
    if answer.status_code != 200:
        raise ValueError(f"status {answer.status_code}")
    families = text_string_to_metric_families(answer.text)
    return {sample.name: sample.value for family in families for sample in family.samples if not sample.labels}


def _short(error: Exception) -> str:
    """A text without the client's own inner words."""
    return type(error).__name__ if isinstance(error, requests.RequestException) else str(error)
