"""Metrics: names, bounded labels, no users; the example rules and dashboard ask for nothing that is not there."""

import json
import re
import socket
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from dispatch.alerting.metric_watch import HourMetrics
from dispatch.alerting.probe_watch import ProbeSum
from dispatch.core.office_alerts import ALERTS
from dispatch.history.kpi import TARGETS, Kpi
from dispatch.history.plan_metrics import Metric, MetricValue
from dispatch.metrics.collect import HookSum, OfficeCollector, OfficeSum, Sum
from dispatch.metrics.server import MetricsServer
from protocol.messages import EventType, PresenceState

MONITORING = Path(__file__).resolve().parents[2] / "docs" / "monitoring"
OFFICE = OfficeSum(
    office="seoul/hq",
    served=True,
    active=True,
    speaking=True,
    session_s=12.5,
    queue=1,
    members={"online": 3, "lost": 1},
    in_channel=2,
    unpublished=0,
    presses=40,
    failed=1,
    window_s=900.0,
    answer_ms=[20.0, 40.0, 300.0],
    events={"SPEAKER_CHANGED": 7},
    denied={"another_has_permission": 2},
    ended={"released": 5, "lost": 1},
    alerts=frozenset({"latency"}),
    hour=HourMetrics(
        metrics=[
            MetricValue(metric=Metric.SESSION_START, value=81.0),
            MetricValue(metric=Metric.TOKEN),
            MetricValue(metric=Metric.JOIN, value=31.0),
            MetricValue(metric=Metric.PARTICIPANTS, value=3.5),
            MetricValue(metric=Metric.HEARTBEATS, value=0.98),
        ],
        first_heard_ms=240.0,
    ),
)
FULL = Sum(
    version="1",
    at_s=5.0,
    services=1,
    services_connected=1,
    dropped={"malformed": 2},
    broker_connected=True,
    store_readable=True,
    store_bytes=10,
    disk_free_bytes=20,
    certificate_ends_s=1.8e9,
    offices=[OFFICE],
    webhooks=[HookSum(name="ops", delivered=1, failed=2, dropped=0, waiting=0)],
    probe=ProbeSum(presses=9, answered=7, failing=2, last_s=5.0, last_took_ms=4.0, waiting=1),
)


def shown(total: Sum) -> str:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(OfficeCollector(lambda: total))
    return generate_latest(registry).decode()


def samples(total: Sum) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(shown(total))
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def names() -> set[str]:
    """Every metric there is, those too that nobody measured this time."""
    return {name for name, _ in samples(FULL)} | {each.name for each in text_string_to_metric_families(shown(FULL))}


def test_an_offices_figures_are_shown_in_base_units() -> None:
    found = samples(FULL)
    office = ("office", "seoul/hq")

    assert found["ptt_answer_median_seconds", frozenset({office})] == 0.04
    assert found["ptt_answer_worst_seconds", frozenset({office})] == 0.3
    assert found["ptt_members", frozenset({office, ("state", "online")})] == 3
    assert found["ptt_bursts_total", frozenset({office, ("ended", "lost")})] == 1
    assert found["ptt_alert", frozenset({office, ("alert", "latency")})] == 1
    assert found["ptt_alert", frozenset({office, ("alert", "error-rate")})] == 0


def test_the_plans_metrics_of_the_last_hour_are_shown_where_they_were_measured() -> None:
    found = samples(FULL)
    office = frozenset({("office", "seoul/hq")})

    assert found["ptt_session_start_seconds", office] == 0.081
    assert found["ptt_channel_join_seconds", office] == 0.031
    assert found["ptt_burst_participants", office] == 3.5
    assert found["ptt_heartbeat_success_ratio", office] == 0.98
    assert found["ptt_first_heard_seconds", office] == 0.24
    assert ("ptt_token_generation_seconds", office) not in found


def test_every_name_is_ours_and_every_label_is_one_that_is_bounded() -> None:
    labels = {label for _, pairs in samples(FULL) for label, _ in pairs}

    assert {name for name in names() if not re.fullmatch(r"ptt_[a-z_]+", name)} == set()
    assert labels == {"office", "state", "alert", "type", "cause", "ended", "reason", "webhook", "version"}


def test_an_office_costs_a_bounded_number_of_series_however_many_vehicles_it_has() -> None:
    few = len(samples(FULL))
    crowd = OfficeSum(
        **{name: getattr(OFFICE, name) for name in OfficeSum.__struct_fields__ if name != "answer_ms"},
        answer_ms=[1.0] * 10_000,
    )
    with_crowd = Sum(**{n: getattr(FULL, n) for n in Sum.__struct_fields__ if n != "offices"}, offices=[crowd])

    assert len(samples(with_crowd)) == few
    assert few < 60 + len(EventType) + len(PresenceState) + len(ALERTS)


def test_before_the_first_look_there_is_an_answer_too() -> None:
    assert "ptt_last_sum_timestamp_seconds 0.0" in shown(Sum())


def expressions() -> list[str]:
    rules = yaml.safe_load((MONITORING / "ptt-alerts.yml").read_text())
    board = json.loads((MONITORING / "ptt-grafana.json").read_text())
    asked = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    return asked + [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def test_the_example_rules_and_dashboard_ask_only_for_metrics_and_words_that_there_are() -> None:
    asked = expressions()
    words = {*EventType, *ALERTS}

    assert {name for each in asked for name in re.findall(r"\bptt_[a-z_]+", each)} - names() == set()
    assert {w for each in asked for w in re.findall(r'(?:type|alert)!?="([^"]+)"', each)} - words == set()
    assert [each for each in asked if each.count("(") != each.count(")") or each.count("{") != each.count("}")] == []


def test_what_the_plan_measures_and_the_probe_are_on_the_dashboard_and_their_targets_in_the_rules() -> None:
    board = json.loads((MONITORING / "ptt-grafana.json").read_text())
    rules = yaml.safe_load((MONITORING / "ptt-alerts.yml").read_text())
    drawn = " ".join(target["expr"] for panel in board["panels"] for target in panel["targets"])
    judged = {rule["expr"] for group in rules["groups"] for rule in group["rules"]}
    families = text_string_to_metric_families(shown(FULL))
    measured = {family.name for family in families if "of the last hour" in family.documentation}
    probes = {name for name, _ in samples(FULL) if name.startswith("ptt_probe_")} - {"ptt_probe_last_timestamp_seconds"}

    assert len(measured) == len(Metric) + 1
    assert {name for name in measured | probes if name not in drawn} == set()
    for kpi, metric in ((Kpi.TOKEN, "ptt_token_generation_seconds"), (Kpi.JOIN, "ptt_channel_join_seconds")):
        assert f"{metric} > {TARGETS[kpi].value / 1000:g}" in judged
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_every_rule_has_a_severity_a_summary_and_a_mend_and_prometheus_reads_the_rules() -> None:
    rules = yaml.safe_load((MONITORING / "ptt-alerts.yml").read_text())
    found = [rule for group in rules["groups"] for rule in group["rules"]]
    main = yaml.safe_load((MONITORING / "prometheus.yml").read_text())

    assert {rule["labels"]["severity"] for rule in found} == {"warning", "critical"}
    assert [rule["alert"] for rule in found if set(rule["annotations"]) != {"summary", "mend"}] == []
    assert main["rule_files"] == ["ptt-alerts.yml"]
    assert main["scrape_configs"][0]["static_configs"][0]["targets"] == ["127.0.0.1:9464"]


def test_who_connects_and_asks_for_nothing_is_hung_up_on_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    server = MetricsServer("127.0.0.1", 0, lambda: FULL, answer_s=0.05)
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as silent:
            assert silent.recv(1) == b""
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as asking:
            asking.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda: asking.recv(65536), b""))
    finally:
        server.close()
    assert b" 200 " in answer and b"ptt_speaking" in answer
    assert "".join(capfd.readouterr()) == ""
