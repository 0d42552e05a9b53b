"""The unit files as systemd itself reads them, and the broker's configuration as mosquitto does."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties

from dispatch.bridge.settings import CREDENTIAL as BRIDGE_SECRET
from dispatch.credentials import AGORA_CERTIFICATE, AGORA_CUSTOMER_SECRET, MQTT_PASSWORD, PROBE_PASSWORD, TLS_KEY
from lab.broker import free_port

ROOT = Path(__file__).resolve().parents[2]
UNITS = {
    "ptt-gateway.service": "ptt-gateway run --config /etc/ptt/gateway.toml",
    "ptt-dispatch.service": "ptt-dispatch serve --config /etc/ptt/dispatch.toml",
    "ptt-dispatch-rest.service": "ptt-dispatch rest --config /etc/ptt/dispatch.toml",
    "ptt-dispatch-web.service": "ptt-dispatch web --config /etc/ptt/dispatch.toml",
    "ptt-dispatch-alerts.service": "ptt-dispatch alerts --config /etc/ptt/dispatch.toml",
    "ptt-agora-bridge.service": "ptt-dispatch agora-bridge --config /etc/ptt/bridge.toml",
}
"""Unit and what it runs."""
EXPOSURE_MAX = 25
"""systemd-analyze's threshold is ten times the figure it prints: 2.5."""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def settings(unit: str) -> dict[str, list[str]]:
    """Every setting of a unit file with its values in order."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / "systemd" / unit).read_text("utf-8").splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


@pytest.fixture
def checkable(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The unit with a program that is really there, because verify asks whether ExecStart can be run."""
    unit: str = request.param
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    text, replaced = re.subn(
        r"^(ExecStart=|ExecStopPost=-)\S+",
        rf"\g<1>{program}",
        (ROOT / "systemd" / unit).read_text("utf-8"),
        flags=re.M,
    )
    assert replaced == text.count("\nExec")
    copy = tmp_path / unit
    copy.write_text(text, "utf-8")
    return copy


@pytest.mark.parametrize("checkable", UNITS, indirect=True)
def test_systemd_has_nothing_to_say_against_the_unit(checkable: Path) -> None:
    done = run("systemd-analyze", "verify", "--man=no", str(checkable))

    # It exits with 0 even for unknown settings: only silence is good.
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")


@pytest.mark.parametrize("checkable", UNITS, indirect=True)
def test_a_misspelt_setting_is_noticed(checkable: Path) -> None:
    checkable.write_text(checkable.read_text("utf-8").replace("WatchdogSec=", "WatchdogSecs="), "utf-8")

    done = run("systemd-analyze", "verify", "--man=no", str(checkable))

    assert "WatchdogSecs" in done.stderr


@pytest.mark.parametrize("checkable", UNITS, indirect=True)
def test_the_unit_is_sandboxed(checkable: Path) -> None:
    done = run(
        "systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager", str(checkable)
    )

    assert "Overall exposure level" in done.stdout
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("checkable", UNITS, indirect=True)
def test_a_unit_without_its_sandbox_would_be_noticed(checkable: Path) -> None:
    text = "".join(
        line
        for line in checkable.read_text("utf-8").splitlines(keepends=True)
        if not line.startswith(("Protect", "Private", "Capability"))
    )
    checkable.write_text(text, "utf-8")

    done = run(
        "systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager", str(checkable)
    )

    assert done.returncode != 0


@pytest.mark.parametrize(("unit", "command"), UNITS.items())
def test_the_unit_starts_a_program_that_the_package_installs(unit: str, command: str) -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]

    [line] = settings(unit)["ExecStart"]

    assert line == f"/opt/ptt/bin/{command}"
    assert command.split()[0] in scripts


def test_after_the_gateway_ended_however_it_did_its_outputs_are_put_off() -> None:
    found = settings("ptt-gateway.service")

    [line] = found["ExecStopPost"]

    assert line == "-" + found["ExecStart"][0].replace(" run ", " outputs-off ")


@pytest.mark.parametrize("unit", UNITS)
def test_a_daemon_that_hangs_or_fails_is_restarted_without_limit(unit: str) -> None:
    found = settings(unit)

    assert found["Type"] == ["notify"]
    assert found["WatchdogSec"] == ["10"]
    assert found["Restart"] == ["always"]
    assert found["StartLimitIntervalSec"] == ["0"]


def test_systemd_has_nothing_to_say_against_the_report_and_its_timer(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    units = [tmp_path / f"ptt-dispatch-report.{kind}" for kind in ("service", "timer")]
    for unit in units:
        text = (ROOT / "systemd" / unit.name).read_text("utf-8")
        unit.write_text(re.sub(r"^(ExecStart=)\S+", rf"\g<1>{program}", text, flags=re.M), "utf-8")

    done = run("systemd-analyze", "verify", "--man=no", *map(str, units))
    exposed = run(
        "systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager", str(units[0])
    )

    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
    assert exposed.returncode == 0, exposed.stdout


def test_the_report_is_made_every_day_by_the_services_own_user_and_is_kept_from_the_secrets() -> None:
    report, timer = settings("ptt-dispatch-report.service"), settings("ptt-dispatch-report.timer")
    [when] = timer["OnCalendar"]

    assert report["ExecStart"] == ["/opt/ptt/bin/ptt-dispatch report --due --config /etc/ptt/dispatch.toml"]
    assert (timer["Persistent"], report["Type"], "LoadCredential" in report) == (["yes"], ["oneshot"], False)
    assert run("systemd-analyze", "calendar", when).returncode == 0
    for name in ("DynamicUser", "User", "StateDirectory", "StateDirectoryMode", "UMask"):
        assert report[name] == settings("ptt-dispatch.service")[name]


def test_the_offices_services_share_one_user_and_one_store_and_each_is_given_its_own_secrets() -> None:
    serve, rest = settings("ptt-dispatch.service"), settings("ptt-dispatch-rest.service")
    web = settings("ptt-dispatch-web.service")

    for name in ("DynamicUser", "User", "StateDirectory", "StateDirectoryMode", "UMask"):
        assert serve[name] == rest[name] == web[name]
    assert credentials(web) == {f"ptt.{MQTT_PASSWORD}", f"ptt.{TLS_KEY}", f"ptt.{AGORA_CERTIFICATE}"}
    given = {path.removeprefix("ptt.") for path in credentials(serve) | credentials(rest)}
    assert given == {MQTT_PASSWORD, TLS_KEY, AGORA_CERTIFICATE, AGORA_CUSTOMER_SECRET}
    assert "ptt.agora-certificate" not in credentials(serve)
    assert "ptt.agora-customer-secret" not in credentials(rest)


def test_alerts_share_the_services_user_and_store_and_are_given_two_passwords_at_the_broker_alone() -> None:
    serve, alerts = settings("ptt-dispatch.service"), settings("ptt-dispatch-alerts.service")

    for name in ("DynamicUser", "User", "StateDirectory", "StateDirectoryMode", "UMask"):
        assert serve[name] == alerts[name]
    assert credentials(alerts) == {f"ptt.{MQTT_PASSWORD}", f"ptt.{PROBE_PASSWORD}"}


def test_the_bridge_is_given_its_own_secret_and_shares_nothing_with_the_office() -> None:
    bridge = settings("ptt-agora-bridge.service")

    assert credentials(bridge) == {f"ptt.{BRIDGE_SECRET}"}
    assert bridge["StateDirectory"] == ["ptt-agora-bridge"]
    assert bridge["DynamicUser"] == ["yes"]
    assert "ProcSubset" not in bridge  # Agora's library looks at the machine
    assert not any("@resources" in value for value in bridge["SystemCallFilter"])


def credentials(found: dict[str, list[str]]) -> set[str]:
    """The files of the credential store that a unit loads; each under the name it has there."""
    pairs = [value.split(":") for value in found["LoadCredential"]]
    assert all(path == f"ptt.{name}" for name, path in pairs)
    return {path for _, path in pairs}


def test_the_gateways_sandbox_leaves_what_its_libraries_need() -> None:
    found = settings("ptt-gateway.service")

    assert "ProcSubset" not in found  # gpiozero reads the board from /proc
    assert "MemoryDenyWriteExecute" not in found  # callbacks of C libraries
    assert "RestrictRealtime" not in found  # audio priority
    assert not any("@resources" in value for value in found["SystemCallFilter"])
    assert {"char-gpiochip rw", "char-alsa rw"} <= set(found["DeviceAllow"])
    assert "LG_WD=/run/ptt-gateway" in found["Environment"]
    assert found["RuntimeDirectory"] == ["ptt-gateway"]


# --- the broker ------------------------------------------------------------------------------------------------------


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    """Mosquitto with our file included the way Debian's main file does; gives its port."""
    port = free_port()
    text = (ROOT / "systemd/mosquitto/ptt.conf").read_text("utf-8")
    assert "listener 1883 127.0.0.1\n" in text
    included = tmp_path / "conf.d"
    included.mkdir()
    (included / "ptt.conf").write_text(text.replace("listener 1883 ", f"listener {port} "), "utf-8")
    (tmp_path / "main.conf").write_text(
        f"pid_file {tmp_path}/pid\npersistence true\npersistence_location {tmp_path}/\n"
        f"log_dest file {tmp_path}/log\nuser root\ninclude_dir {included}\n"
    )
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    assert program, "mosquitto is not installed"
    process = subprocess.Popen([program, "-c", str(tmp_path / "main.conf")])
    yield port
    process.terminate()
    process.wait(10)


def connect(port: int) -> tuple[mqtt.Client, list[Properties]]:
    """A connected client and what the broker announced."""
    announced: list[Properties] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "unit-test", protocol=mqtt.MQTTv5)
    client.on_connect = lambda _client, _data, _flags, _reason, properties: announced.append(properties)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not announced:
        try:
            # From another loopback address: dialling a free port from its own address can, by chance of the source
            # port, connect to itself, and then the broker cannot have the port.
            client.connect("127.0.0.1", port, bind_address="127.0.0.2")
        except ConnectionRefusedError:
            time.sleep(0.01)
        else:
            poll(client, lambda: announced)
    return client, announced


def poll(client: mqtt.Client, until: Callable[[], object]) -> None:
    """Turn the client's loop until `until()` holds, the connection ends, or 10 s have passed."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not until() and client.loop(0.05) == mqtt.MQTT_ERR_SUCCESS:
        pass


def test_the_broker_accepts_its_configuration_and_announces_its_bound(broker: int) -> None:
    client, announced = connect(broker)

    [properties] = announced
    assert vars(properties)["MaximumPacketSize"] == 270336
    client.disconnect()


def test_the_roster_fits_and_more_than_the_bound_is_cut_off(broker: int) -> None:
    client, _ = connect(broker)
    acknowledged: list[int] = []
    ended: list[object] = []
    client.on_publish = lambda _client, _data, mid, _reason, _properties: acknowledged.append(mid)
    client.on_disconnect = lambda _client, _data, _flags, reason, _properties: ended.append(reason)

    fits = client.publish("ptt/v1/kr/office/roster", b"x" * 262144, qos=1)
    poll(client, lambda: acknowledged)
    client.publish("ptt/v1/kr/office/roster", b"x" * 300000, qos=0)
    poll(client, lambda: ended)

    assert acknowledged[:1] == [fits.mid]
    assert len(ended) == 1
    again, announced = connect(broker)
    assert len(announced) == 1
    again.disconnect()
