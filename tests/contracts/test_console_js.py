"""The call manager's console in JavaScript, run by node: held against the gateway's machine and the wire protocol."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lab.docs.examples import EXAMPLES
from protocol.codec import CARRIES, PAYLOAD_BYTES_MAX, Malformed, decode, encode
from protocol.ids import OfficeId
from protocol.topics import Kind, parse, topic
from protocol.voice_frame import BadFrame, FrameFlags, VoiceFrame, pack, unpack
from tests.contracts.console_machine import walks

TESTS = Path(__file__).resolve().parents[1] / "console_js"
STATIC = Path(__file__).resolve().parents[2] / "dispatch" / "web" / "static"
OFFICE = OfficeId("seoul", "hq")
NODE_S = 60.0
WALKS, STEPS = 150, 120

READ = (Kind.SESSION, Kind.REPLY, Kind.PRESENCE, Kind.ROSTER, Kind.ALERT, Kind.COMMAND_REPLY)
WRITTEN = (Kind.FLOOR, Kind.FLOOR_AGAIN, Kind.PRESENCE, Kind.HEARTBEAT, Kind.DEVICE_TRACE, Kind.COMMAND, Kind.VOICE)
FRAMES = (
    VoiceFrame(1, 0, 0, b"\x48\xff"),
    VoiceFrame(12884901897, 149, 2980, b"\xb8\xff\xfe", FrameFlags.LAST),
    VoiceFrame(2**53 - 1, 2**32 - 1, 2**32 - 1, bytes(1275), FrameFlags.HANDOVER),
    VoiceFrame(7, 0, 0, b"", FrameFlags.ASK),
    VoiceFrame(7, 9, 180, b"", FrameFlags.LAST),
)
WRONG: tuple[Any, ...] = (None, -1, 1.5, "", "x" * 400, [], {}, True, [1, 2], 2**53)
BAD_FRAMES = (b"", bytes(17), b"\x02" + bytes(20), b"\x01" + bytes(17 + 1276))


def kinds_of(tag: str) -> list[Kind]:
    return [
        kind for kind in (*READ, Kind.FLOOR, Kind.HEARTBEAT, Kind.COMMAND, Kind.DEVICE_TRACE) if tag in CARRIES[kind]
    ]


def message_vectors() -> list[dict[str, Any]]:
    """Every example on a topic that the console reads or writes, and a topic where it does not belong."""
    made = []
    for example in EXAMPLES:
        tag = str(example.__struct_config__.tag)
        for kind in kinds_of(tag):
            elsewhere = next(one for one in READ if tag not in CARRIES[one])
            text = encode(example).decode()
            made.append({"kind": kind.name, "text": text, "means": json.loads(text), "elsewhere": elsewhere.name})
    return made


def malformed_payloads() -> list[dict[str, str]]:
    """Payloads near to good ones that Python refuses: each field of each example left out, or of another kind."""
    found = [(Kind.SESSION, b"\xff{}"), (Kind.REPLY, b"[]"), (Kind.REPLY, b"null"), (Kind.REPLY, b"\xef\xbb\xbf{}")]
    found += [
        (Kind.REPLY, b'{"type":"floor_ack"' + b" " * PAYLOAD_BYTES_MAX + b"}"),
        (Kind.SESSION, b'{"type":"nothing"}'),
    ]
    for example in EXAMPLES:
        for kind in kinds_of(str(example.__struct_config__.tag)):
            whole = json.loads(encode(example))
            for name in whole:
                for wrong in WRONG:
                    found.append((kind, json.dumps({**whole, name: wrong}).encode()))
                found.append((kind, json.dumps({key: value for key, value in whole.items() if key != name}).encode()))
    return [{"kind": kind.name, "payload": payload.hex()} for kind, payload in found if is_malformed(kind, payload)]


def is_malformed(kind: Kind, payload: bytes) -> bool:
    try:
        decode(payload, kind)
    except Malformed:
        return True
    return False


def vectors() -> dict[str, Any]:
    for bad in BAD_FRAMES:
        with pytest.raises(BadFrame):
            unpack(bad)
    names = ("car-1", "emergency")
    topics = [(kind, names[: kind.slots]) for kind in {*READ, *WRITTEN}]
    return {
        "machine": walks(WALKS, STEPS),
        "frames": [
            {"wire": pack(f).hex(), "burst": f.burst, "seq": f.seq, "captureMs": f.capture_ms, "flags": int(f.flags)}
            | {"opus": f.payload.hex()}
            for f in FRAMES
        ],
        "bad_frames": [*(bad.hex() for bad in BAD_FRAMES), pack(VoiceFrame(2**53, 0, 0, b"")).hex()],
        "messages": message_vectors(),
        "malformed": malformed_payloads(),
        "topics": [{"kind": kind.name, "ids": ids, "text": topic(OFFICE, kind, *ids)} for kind, ids in topics],
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """All tests of tests/console_js, once; and what the console published in them."""
    folder = tmp_path_factory.mktemp("console-js")
    (folder / "vectors.json").write_bytes(msgspec.json.encode(vectors()))
    files = sorted(str(path) for path in TESTS.glob("*.test.mjs"))
    assert files
    sent = folder / "sent.jsonl"
    environment = {**os.environ, "PTT_CONSOLE_VECTORS": str(folder / "vectors.json"), "PTT_CONSOLE_SENT": str(sent)}
    command = ["node", "--test", "--test-reporter=tap", *files]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=NODE_S, check=False)
    return done, sent


def test_the_consoles_own_tests_hold(run: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, _ = run
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_all_that_the_console_publishes_is_read_by_the_protocol_where_it_is_published(
    run: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    _, sent = run
    seen: set[str] = set()
    for line in sent.read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        place = parse(one["topic"])
        assert place.office == OFFICE
        if place.kind is Kind.VOICE:
            unpack(bytes.fromhex(one["hex"]))
            assert one["options"]["qos"] == 0
            seen.add("voice")
            continue
        message = decode(one["text"].encode(), place.kind)
        seen.add(str(message.__struct_config__.tag))
        assert one["options"]["qos"] == 1
        assert one["options"]["retain"] is (place.kind is Kind.PRESENCE)
    floor = {"floor_request", "floor_renew", "floor_release"}
    assert seen == floor | {"voice", "presence", "heartbeat", "burst_played", "time_probe", "press_trace", "command"}


def test_what_others_wrote_is_as_it_was_taken_with_its_licence_beside_it() -> None:
    vendor = STATIC / "vendor"
    listed = tomllib.loads((vendor / "VERSIONS.toml").read_text(encoding="utf-8"))["file"]
    for entry in listed:
        assert hashlib.sha256((vendor / entry["name"]).read_bytes()).hexdigest() == entry["sha256"], entry["name"]
        assert (vendor / entry["license_file"]).stat().st_size > 200
    known = {entry["name"] for entry in listed} | {entry["license_file"] for entry in listed} | {"VERSIONS.toml"}
    assert {path.name for path in vendor.iterdir()} == known
