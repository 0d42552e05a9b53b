"""`ptt-gateway doctor agora` as a real process on a machine without the SDK, and with one that kills its loader."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dispatch.tokens.access_token2 import build
from gateway import doctor
from lab.demo.agora import AgoraStandIn
from lab.office import AGORA_APP
from protocol.worker import Token
from protocol.worker_settings import AgoraSettings
from tests.support.procs import ROOT

TOML = '[vehicle]\nuser = "car-1"\nname = "1"\nregion = "seoul"\noffice = "hq"\n[pins]\nfactory = "virtual"\n'


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    config = folder / "gateway.toml"
    config.write_text(
        f'{TOML}pins_socket = "{folder}/p.sock"\n[agora]\nsdk_dir = "{folder}/sdk"\n[state]\ndir = "{folder}/state"\n'
    )
    argv = [sys.executable, "-m", "gateway", "doctor", "agora", "--config", str(config), *arguments]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_a_machine_without_the_sdk_is_told_what_is_missing_and_how_to_mend_it(tmp_path: Path) -> None:
    english, korean = run(tmp_path, "--lang", "en"), run(tmp_path, "--lang", "ko")

    assert (english.returncode, korean.returncode) == (1, 1)
    assert "FAIL Agora SDK staged: there is no Agora SDK" in english.stdout and "-> " in english.stdout
    assert "페이지 크기" in korean.stdout


def test_for_programs_it_is_one_json_document(tmp_path: Path) -> None:
    found = json.loads(run(tmp_path, "--json").stdout)

    rows = {row["check"]: row for row in found["rows"]}
    assert found["ok"] is False
    assert rows["staged"]["ok"] is False
    assert rows["page_size"]["value"].endswith(" bytes")
    assert "joined" not in rows


def test_a_native_crash_of_the_probe_is_a_line_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    crash = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    monkeypatch.setattr(doctor, "_PROBE", [sys.executable, "-c", crash])

    (row,) = doctor._loaded(AgoraSettings())

    assert (row.ok, row.value) == (False, "the probe was killed by signal 11")


def test_over_the_stand_in_for_agora_beeps_go_there_and_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with AgoraStandIn(tmp_path) as agora:
        monkeypatch.setenv("AGORA_STUB_SOCKET", str(agora.socket))
        task = {"settings": {"sdk_dir": str(agora.sdk_dir)}}

        (loaded,) = doctor._loaded(AgoraSettings(sdk_dir=str(agora.sdk_dir)))
        ear = doctor._begin(task | {"token": token(agora, 2), "hear_uid": 1, "join_s": 5.0})
        mouth, why = doctor._probe(task | {"token": token(agora, 1), "speak": True, "join_s": 3.5})
        heard, ears_why = doctor._end(ear)
        row = doctor._round_trip(mouth["beeps_sent"], heard["beeps_heard"], ears_why)

    assert (loaded.ok, why, ears_why, row.ok) == (True, "", "", True), row
    assert [measured.ok for measured in doctor._measured(mouth)] == [True, True]


def test_a_token_that_does_not_hold_is_told_by_the_probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with AgoraStandIn(tmp_path) as agora:
        monkeypatch.setenv("AGORA_STUB_SOCKET", str(agora.socket))
        wrong = token(agora, 1) | {"uid": 3}

        _, why = doctor._probe({"settings": {"sdk_dir": str(agora.sdk_dir)}, "token": wrong})

    assert "token" in why.lower()


def token(agora: AgoraStandIn, uid: int) -> dict[str, Any]:
    issued_s = int(time.time())
    certificate = agora.certificate
    built = build(AGORA_APP, certificate, "ch", uid, publisher=True, expire_s=600, issued_at_s=issued_s, salt=uid)
    whole = Token(channel="ch", app_id=AGORA_APP, uid=uid, token=built, publisher=True, expires_in_s=600.0)
    made: dict[str, Any] = msgspec.to_builtins(whole)
    return made
