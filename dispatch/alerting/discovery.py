"""Vehicles as Home Assistant's MQTT discovery wants them told: one retained message a vehicle. Pure.

Source: https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload. Entities read our own retained
topics; nothing is published for them besides.
"""

import msgspec

from dispatch.broker.acl import BIRTH_TOPIC
from protocol.ids import OfficeId
from protocol.topics import Kind, topic

BIRTH = b"online"
ORIGIN = "ptt-dispatch"
"""Who told: only what bears this name is ever taken back."""


def config_topic(office: OfficeId, user: str) -> str:
    """Where a vehicle is told; ids hold no underscore, so that offices cannot be mistaken for each other."""
    return f"homeassistant/device/{office.region}_{office.office}/{user}/config"


def config(office: OfficeId, user: str, name: str, version: str) -> bytes:
    """Give a vehicle's message; `version` is ours."""
    key = f"ptt_{office.region}_{office.office}_{user}"
    presence, state = topic(office, Kind.PRESENCE, user), topic(office, Kind.DEVICE_STATE, user)
    telemetry, info = topic(office, Kind.DEVICE_TELEMETRY, user), topic(office, Kind.DEVICE_INFO, user)
    health = " and ".join(
        ["value_json.voice.worker == 'ok'", *(f"value_json.voice.{part}" for part in ("capture", "playback", "link"))]
    )

    def on(what: str) -> str:
        return f"{{{{ 'ON' if {what} else 'OFF' }}}}"

    def entity(kind: str, part: str, label: str, where: str, template: str, **more: object) -> dict[str, object]:
        made = {"platform": kind, "unique_id": f"{key}_{part}", "name": label, "state_topic": where}
        return {**made, "value_template": template, **more}

    there = {
        "availability": [
            {
                "topic": presence,
                "value_template": "{{ 'online' if value_json.state in ['online', 'sleeping'] else 'offline' }}",
            }
        ]
    }
    binary, sensor, diagnostic = "binary_sensor", "sensor", {"entity_category": "diagnostic"}
    session = topic(office, Kind.SESSION)
    parts = {
        "connectivity": entity(
            binary,
            "connectivity",
            "Connection",
            presence,
            on("value_json.state in ['online', 'sleeping']"),
            device_class="connectivity",
        ),
        "talking": entity(
            binary, "talking", "Talking", session, on(f"value_json.current_speaker == '{user}'"), device_class="sound"
        ),
        "in_channel": entity(binary, "in_channel", "In channel", presence, on("value_json.in_channel"), **there),
        "problem": entity(
            binary, "problem", "Voice problem", state, on(f"not ({health})"), device_class="problem", **there
        ),
        "temperature": entity(
            sensor,
            "temperature",
            "Temperature",
            telemetry,
            "{{ value_json.temperature_c }}",
            device_class="temperature",
            unit_of_measurement="°C",
            state_class="measurement",
            **there,
        ),
        "last_press": entity(sensor, "last_press", "Last press", state, "{{ value_json.last_press }}"),
        "firmware": entity(sensor, "firmware", "Firmware", info, "{{ value_json.version }}", **diagnostic),
    }
    return msgspec.json.encode(
        {
            "device": {"identifiers": [key], "name": name, "model": "push-to-talk gateway", "manufacturer": "ptt"},
            "origin": {"name": ORIGIN, "sw_version": version},
            "components": parts,
            "qos": 1,
        }
    )


def ours(payload: bytes) -> bool:
    """Whether a retained config is one that we told."""
    try:
        said = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    origin = said.get("origin") if isinstance(said, dict) else None
    return isinstance(origin, dict) and origin.get("name") == ORIGIN


class Discovery:
    """What Home Assistant is to be told, and what the broker has. Moments are monotonic seconds."""

    SETTLE_S = 1.5
    """Behind a connection, what is retained has come within this time: only then is it known what is left over."""
    AGAIN_S = 10.0
    """All is told again for a birth at most this often."""

    def __init__(self) -> None:
        self._there: dict[str, bytes] = {}
        self._from = float("inf")
        self._told_at = float("-inf")
        self._again = False

    def connected(self, now: float) -> None:
        """A connection stands: the broker's copies come now."""
        self._there.clear()
        self._from = now + self.SETTLE_S

    def seen(self, name: str, payload: bytes) -> None:
        """Take what the broker has, or Home Assistant's birth."""
        if name == BIRTH_TOPIC:
            self._again = self._again or payload == BIRTH
        elif payload and ours(payload):
            self._there[name] = payload
        else:
            self._there.pop(name, None)

    def due(self, wanted: dict[str, bytes], now: float) -> dict[str, bytes]:
        """Give what is to be published, retained, by its topic; empty takes a message back."""
        if now < self._from:
            return {}
        found = {name: b"" for name in self._there if name not in wanted}
        again = self._again and now - self._told_at >= self.AGAIN_S
        if again:
            self._again, self._told_at = False, now
        found |= {name: payload for name, payload in wanted.items() if again or self._there.get(name) != payload}
        for name, payload in found.items():
            self.seen(name, payload)
        return found
