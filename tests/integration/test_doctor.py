"""`ptt-gateway doctor agora` as a real process on a machine without the SDK, and with one that kills its loader."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import doctor
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
