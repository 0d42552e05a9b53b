"""What Home Assistant is told of vehicles: its own documented schema, our own topics, and what is told when."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest

from dispatch.alerting.discovery import Discovery, config, config_topic, ours
from dispatch.broker.acl import BIRTH_TOPIC
from protocol.codec import CARRIES
from protocol.ids import OfficeId
from protocol.messages import Message
from protocol.topics import parse

OFFICE = OfficeId("seoul", "hq")
SCHEMA = json.loads((Path(__file__).parent / "home_assistant.schema.json").read_text())
TOLD = config(OFFICE, "car-1", "1호차", "1.2.3")
WHERE = config_topic(OFFICE, "car-1")
PARTS: dict[str, Any] = json.loads(TOLD)["components"]
FOREIGN = b'{"origin":{"name":"somebody else"},"device":{},"components":{}}'


def test_a_vehicle_is_told_as_home_assistant_documents_it() -> None:
    jsonschema.validate(json.loads(TOLD), SCHEMA)
    assert set(PARTS) == {"connectivity", "talking", "in_channel", "problem", "temperature", "last_press", "firmware"}
    assert WHERE == "homeassistant/device/seoul_hq/car-1/config"
    assert re.fullmatch(r"homeassistant/\w+/[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+/config", WHERE)


@pytest.mark.parametrize("spoilt", [{"state_topics": "x"}, {"device_class": "talking"}, {"platform": "radio"}])
def test_the_schema_refuses_what_home_assistant_would(spoilt: dict[str, str]) -> None:
    told = json.loads(TOLD)
    told["components"]["talking"] |= spoilt

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(told, SCHEMA)


@pytest.mark.parametrize("part", PARTS)
def test_an_entity_reads_fields_that_its_topics_message_has(part: str) -> None:
    entity = PARTS[part]
    read = [(entity["state_topic"], entity["value_template"])]
    read += [(each["topic"], each["value_template"]) for each in entity.get("availability", ())]
    for name, template in read:
        carried = [each for each in get_args(Message) if each.__struct_config__.tag in CARRIES[parse(name).kind]]
        known = {field for each in carried for field in each.__struct_fields__}
        assert set(fields(template)) <= known
        assert fields(template) != []


def fields(template: str) -> list[str]:
    return re.findall(r"value_json\.(\w+)", template)


def test_two_vehicles_and_two_offices_share_no_id() -> None:
    other = json.loads(config(OfficeId("seoul", "hq-car"), "1", "x", "1"))["components"]
    assert {each["unique_id"] for each in PARTS.values()} & {each["unique_id"] for each in other.values()} == set()


def test_what_the_broker_has_already_is_not_told_again_and_what_changed_is() -> None:
    found = Discovery()
    found.connected(0.0)
    found.seen(WHERE, TOLD)
    assert found.due({WHERE: TOLD}, Discovery.SETTLE_S) == {}
    renamed = config(OFFICE, "car-1", "다른 이름", "1.2.3")
    assert found.due({WHERE: renamed}, 5.0) == {WHERE: renamed}
    assert found.due({WHERE: renamed}, 6.0) == {}


def test_nothing_is_told_or_taken_back_before_it_is_known_what_is_there() -> None:
    found = Discovery()
    assert found.due({WHERE: TOLD}, 100.0) == {}
    found.connected(100.0)
    assert found.due({WHERE: TOLD}, 100.0 + Discovery.SETTLE_S / 2) == {}
    assert found.due({WHERE: TOLD}, 100.0 + Discovery.SETTLE_S) == {WHERE: TOLD}


def test_what_is_left_over_of_ours_is_taken_back_and_nothing_of_others() -> None:
    found = Discovery()
    found.connected(0.0)
    found.seen(WHERE, TOLD)
    found.seen("homeassistant/device/zigbee/lamp/config", FOREIGN)
    found.seen("homeassistant/device/zigbee/odd/config", b"\xff no JSON")
    assert found.due({}, 10.0) == {WHERE: b""}
    assert found.due({}, 11.0) == {}
    assert not ours(b"[]") and not ours(FOREIGN)


def test_a_birth_has_all_told_again_and_a_flood_of_births_does_not() -> None:
    found = Discovery()
    found.connected(0.0)
    found.due({WHERE: TOLD}, 5.0)
    found.seen(BIRTH_TOPIC, b"offline")
    assert found.due({WHERE: TOLD}, 6.0) == {}
    found.seen(BIRTH_TOPIC, b"online")
    assert found.due({WHERE: TOLD}, 7.0) == {WHERE: TOLD}
    found.seen(BIRTH_TOPIC, b"online")
    assert found.due({WHERE: TOLD}, 8.0) == {}
    assert found.due({WHERE: TOLD}, 7.0 + Discovery.AGAIN_S) == {WHERE: TOLD}
