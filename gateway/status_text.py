"""A daemon's status as lines for a terminal. Pure."""

from __future__ import annotations

from typing import Any

from gateway.texts import Texts


def render(status: dict[str, Any], texts: Texts) -> list[str]:
    """Give the lines."""
    link, device = status["link"], status["device"]
    voice = device["voice"]
    missing = [f"{d['device']}: {d.get('detail', '')}" for d in status["sound_devices"] if not d["ok"]]
    lines = [
        f"{texts.vehicle:8} {status['user']} ({status['name']}), {status['office']}, {status['pins']} pins, "
        f"{status['version']}, pid {status['pid']}, {_duration(status['uptime_s'])}"
        + ("" if device["lifecycle"] == "driving" else f", {device['lifecycle'].replace('_', ' ')}"),
        f"{texts.link:8} {texts.up if link['up'] else texts.down} ({status['broker']})"
        + ("" if link["up"] else f": {link['reason']}"),
        f"{texts.session:8} {_session(status['session'], texts)}",
        f"{texts.floor:8} {device['floor']}{', keyed' if device['keyed'] else ''}"
        + ("" if device.get("focus", "radio") == "radio" else f", {device['focus']}"),
        f"{texts.heard:8} {_heard(device, texts)}",
        f"{texts.voice:8} {voice['worker']}, link {_mark(voice['link'])}, capture {_mark(voice['capture'])}, "
        f"playback {_mark(voice['playback'])}, buffer {voice['buffer_ms']} ms",
        *(f"{'':8} {line}" for line in missing),
        *_alerts(status["alerts"], texts),
        f"{texts.counters:8} "
        + (", ".join(f"{name} {count}" for name, count in status["counters"].items() if count) or "0"),
        f"{texts.presses}:",
    ]
    return lines + ([_press(press) for press in status["presses"]] or [f"  {texts.no_presses}"])


def _session(session: dict[str, Any] | None, texts: Texts) -> str:
    if session is None or not session["active"]:
        return texts.no_session
    who = session.get("speaker_name") or session.get("current_speaker") or texts.nobody
    return f"{session['event_id']}, burst {session['burst']}: {who}"


def _alerts(alerts: dict[str, list[str]], texts: Texts) -> list[str]:
    told = [f"{alert}: {what} -> {mend}" for alert, (what, mend) in alerts.items()] or [texts.no_alerts]
    return [f"{'' if place else texts.alerts:8} {line}" for place, line in enumerate(told)]


def _heard(device: dict[str, Any], texts: Texts) -> str:
    if device["heard_by"] is None:
        return texts.heard_unknown
    return texts.heard_by.format(by=device["heard_by"], of=device["heard_of"])


def _press(press: dict[str, Any]) -> str:
    times = [f"{name} {_after(press, key)}" for name, key in _TIMES if press[key] is not None]
    last = f" -> {press['last']}" if press["last"] != press["answer"] else ""
    return f"  #{press['press_no']} {press['answer'] or '...'}{last}: {', '.join(times)}"


_TIMES = (("sent", "sent_at"), ("granted", "handled_at"), ("told", "told_at"))


def _after(press: dict[str, Any], key: str) -> str:
    return f"{(press[key] - press['edge_at']) * 1000:.1f}"


def _mark(good: bool) -> str:
    return "ok" if good else "DOWN"


def _duration(seconds: float) -> str:
    minutes, hours = int(seconds) // 60, int(seconds) // 3600
    return f"{int(seconds)} s" if minutes < 2 else f"{minutes} min" if hours < 2 else f"{hours} h"
