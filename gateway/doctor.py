"""`ptt-gateway doctor agora`: whether Agora's SDK works on this very machine, measured.

The SDK is loaded in processes of the voice package, never here: a native crash of it is a line of the table.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from gateway import inspection, settings
from gateway.about import model
from gateway.doctor_texts import NAMES, Check
from gateway.enrolment import EnrolmentStore, login
from gateway.hardware_id import hardware_id
from gateway.rest import RestClient, RestError
from protocol.rest import TOKEN_PATH, Enrolment, TokenGrant, TokenRequest
from protocol.worker import Token
from protocol.worker_settings import AgoraSettings
from service.settings import SettingsError
from service.settings_words import single

EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 2
CHECK_S, PROBE_S = 120.0, 60.0
JOIN_S = 10.0
CPU_PERCENT_MAX = 40.0
"""Of one core, while joined and speaking: the worker's own work has to fit beside it."""
JOIN_MS_MAX = 3000.0
ROUND_TRIP_MS_MAX = 600.0
BEEP_LOST_S = 0.95


class Row(Struct, frozen=True, kw_only=True):
    """One line of the table: `ok` is None where there is nothing to judge."""

    check: Check
    ok: bool | None
    value: str
    mend: str = ""


def run(arguments: argparse.Namespace, lang: str) -> int:
    """Run the command; gives its exit status."""
    try:
        configuration, enrolment = settings.read_enrolled(arguments.config)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    rows = [*_machine(), *_staged(configuration.agora)]
    if all(row.ok is not False for row in rows):
        rows += _loaded(configuration.agora)
    if arguments.join and all(row.ok is not False for row in rows):
        rows += _joined(configuration, enrolment, arguments.second)
    if arguments.json:
        inspection.print_json({"ok": all(row.ok is not False for row in rows), "rows": rows})
    else:
        for row in rows:
            mark = {True: "ok  ", False: "FAIL", None: "    "}[row.ok]
            print(f"{mark} {NAMES[row.check].in_(lang)}: {row.value}" + (f" -> {row.mend}" if row.mend else ""))
    return EXIT_FAILED if any(row.ok is False for row in rows) else EXIT_OK


def _machine() -> list[Row]:
    name, version = platform.libc_ver()
    return [
        Row(check=Check.MACHINE, ok=None, value=f"{platform.machine()}, {model()}"),
        Row(check=Check.KERNEL, ok=None, value=platform.release()),
        Row(check=Check.LIBC, ok=None, value=f"{name} {version}"),
        Row(check=Check.PAGE, ok=None, value=f"{os.sysconf('SC_PAGE_SIZE')} bytes"),
    ]


def _staged(agora: AgoraSettings) -> list[Row]:
    argv = [sys.executable, "-m", "voice.transports.agora.staging", "check", agora.sdk_dir]
    done = _process(argv, b"", CHECK_S)
    lines = [line for line in done.out.splitlines() + done.err.splitlines() if line.strip()]
    if done.code != 0:
        said = lines[-1].removeprefix("error: ") if lines else f"it ended with {done.code}"
        what, _, mend = said.partition(" -> ")
        return [Row(check=Check.STAGED, ok=False, value=what, mend=mend)]
    warnings = [line.removeprefix("warning: ") for line in lines if line.startswith("warning: ")]
    found = [Row(check=Check.STAGED, ok=True, value=agora.sdk_dir)]
    return found + [Row(check=Check.DOUBT, ok=None, value=warning) for warning in warnings]


def _loaded(agora: AgoraSettings) -> list[Row]:
    report, why = _probe({"settings": msgspec.to_builtins(agora)})
    if why:
        return [Row(check=Check.LOADED, ok=False, value=why, mend="see docs/agora.md; voice = mqtt works without")]
    return [Row(check=Check.LOADED, ok=True, value=f"{report['load_ms']:.0f} ms, {report['rss_mb']:.0f} MB")]


def _joined(configuration: settings.GatewaySettings, enrolment: Enrolment | None, second: Path | None) -> list[Row]:
    if enrolment is None:
        mend = "enrol it: `ptt-gateway enrol URL CODE`"
        return [Row(check=Check.TOKEN, ok=False, value="this unit is not enrolled", mend=mend)]
    try:
        hardware = hardware_id(configuration.state.hardware_id_file)
        began_at = time.monotonic()
        token = _token(EnrolmentStore(configuration.state_dir()), enrolment, hardware)
        rows = [Row(check=Check.TOKEN, ok=True, value=f"{(time.monotonic() - began_at) * 1000:.0f} ms")]
        ear = None if second is None else _second(second, hardware)
    except (RestError, SettingsError) as error:
        return [Row(check=Check.TOKEN, ok=False, value=str(error))]
    task = {"settings": msgspec.to_builtins(configuration.agora), "join_s": JOIN_S}
    listening = None
    if ear is not None:
        # The ear joins first and leaves last, so that every beep can be heard.
        listening = _begin(task | {"token": _built(ear), "hear_uid": token.uid, "join_s": JOIN_S + 5})
        time.sleep(2.0)
    report, why = _probe(task | {"token": _built(token), "speak": token.publisher})
    if why:
        rows.append(Row(check=Check.JOINED, ok=False, value=why, mend="see docs/agora.md"))
    else:
        rows += _measured(report)
    if listening is not None:
        heard, why = _end(listening)
        rows.append(_round_trip(report.get("beeps_sent", []), heard.get("beeps_heard", []), why))
    else:
        rows.append(Row(check=Check.ROUND_TRIP, ok=None, value="needs a second identity: --second DIR"))
    return rows


def _measured(report: dict[str, Any]) -> list[Row]:
    join_ms, cpu = report["join_ms"], report["cpu_percent"]
    return [
        Row(check=Check.JOINED, ok=join_ms <= JOIN_MS_MAX, value=f"{join_ms:.0f} ms"),
        Row(check=Check.CPU, ok=cpu <= CPU_PERCENT_MAX, value=f"{cpu:.1f} % of a core, {report['rss_mb']:.0f} MB"),
    ]


def _round_trip(sent: list[float], heard: list[float], why: str) -> Row:
    """Beeps that this machine sent through Agora and heard again as another user."""
    took = [
        (min(after) - at) * 1000 for at in sent if (after := [one for one in heard if at <= one <= at + BEEP_LOST_S])
    ]
    if not took:
        return Row(check=Check.ROUND_TRIP, ok=False, value=why or "no beep came back", mend="see docs/agora.md")
    middle = statistics.median(took)
    value = f"{middle:.0f} ms (median of {len(took)}, {len(sent) - len(took)} lost)"
    return Row(check=Check.ROUND_TRIP, ok=middle <= ROUND_TRIP_MS_MAX, value=value)


def _second(directory: Path, hardware: str) -> Token:
    store = EnrolmentStore(directory)
    enrolment = store.read()
    if enrolment is None:
        raise single(
            str(directory), "holds no enrolment", f"`ptt-gateway enrol --state-dir {directory} URL CODE` makes one"
        )
    return _token(store, enrolment, hardware)


def _token(store: EnrolmentStore, enrolment: Enrolment, hardware: str) -> Token:
    client = RestClient(enrolment.rest_url, store.ca_path, (str(login(enrolment)), enrolment.secret))
    try:
        grant = client.post(TOKEN_PATH, TokenRequest(hardware=hardware), TokenGrant)
    finally:
        client.close()
    return Token(
        channel=grant.channel,
        app_id=grant.app_id,
        uid=grant.uid,
        token=grant.token,
        publisher=grant.publisher,
        expires_in_s=grant.expires_in_s,
    )


def _built(token: Token) -> Any:
    return msgspec.to_builtins(token)


# --- processes of the voice package -----------------------------------------------------------------------------------


class _Done(Struct, frozen=True):
    code: int
    out: str
    err: str


def _process(argv: list[str], data: bytes, for_s: float) -> _Done:
    try:
        done = subprocess.run(argv, input=data, capture_output=True, timeout=for_s, check=False)
    except subprocess.TimeoutExpired:
        return _Done(-1, "", f"error: no answer within {for_s:.0f} s")
    except OSError as error:
        return _Done(-1, "", f"error: it cannot be started ({error.strerror})")
    return _Done(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


_PROBE = [sys.executable, "-m", "voice.transports.agora.probe"]


def _probe(task: dict[str, Any]) -> tuple[dict[str, Any], str]:
    done = _process(_PROBE, msgspec.json.encode(task), PROBE_S)
    return _report(done)


def _begin(task: dict[str, Any]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(_PROBE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(task))
    process.stdin.close()
    process.stdin = None
    return process


def _end(process: subprocess.Popen[bytes]) -> tuple[dict[str, Any], str]:
    try:
        out, _ = process.communicate(timeout=PROBE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return {}, f"no answer within {PROBE_S:.0f} s"
    return _report(_Done(process.returncode, out.decode(errors="replace"), ""))


def _report(done: _Done) -> tuple[dict[str, Any], str]:
    """The probe's report, and why there is none or what is wrong."""
    try:
        report = msgspec.json.decode(done.out)
    except msgspec.DecodeError:
        last = [line for line in done.err.splitlines() if line.strip()][-1:]
        died = f"was killed by signal {-done.code}" if done.code < -1 else f"ended with {done.code}"
        return {}, f"the probe {died}" + (f": {last[0][:200]}" if last else "")
    return report, str(report["error"])
