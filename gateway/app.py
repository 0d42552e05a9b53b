"""Wires one gateway from its settings, runs it, and takes it down again in the reverse order."""

from __future__ import annotations

import faulthandler
import gc
import platform
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from msgspec.structs import replace

from gateway import levels_file
from gateway.about import model, version
from gateway.answers import Answers
from gateway.broker_link import BrokerLink
from gateway.buttons import Buttons
from gateway.chores import Chores
from gateway.core.vehicle import Vehicle
from gateway.core.who import Who
from gateway.core.words import AskShutdown, CoreEvent, Flag, FromWorker, StartWorker, Trouble, WorkerGone
from gateway.daemon import Daemon
from gateway.enrolment import EnrolmentStore, login
from gateway.hardware_id import hardware_id
from gateway.health import Health
from gateway.inbox import Inbox
from gateway.levels_desk import LevelsDesk
from gateway.settings import GatewaySettings
from gateway.state_dir import Boot, StateDir, StateError, read_emergency, read_flag
from gateway.status_server import StatusServer
from gateway.token_client import TokenClient
from gateway.worker_process import WorkerProcess
from hw.errors import HardwareError
from hw.hardware import Hardware, open_hardware, outputs_persist
from protocol.messages import DeviceInfo, Presence, PresenceState, Priority
from protocol.rest import Enrolment
from protocol.worker_settings import RestAccess, WorkerSettings
from service.logs import Log
from service.loop import Loop
from service.settings import SettingsError
from service.systemd import Notifier
from service.wall_clock import minute_of_day

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_RESTART = 75
"""EX_TEMPFAIL: a monitor asked for a restart; systemd starts us again."""
EXIT_BUG = 70
"""EX_SOFTWARE of sysexits.h: a programmer's error. Everything was made safe; systemd starts us again."""
GOODBYE_S = 1.0
WORKER_END_S = 1.0
SAFE_AS_YES = frozenset({Flag.TRANSMITTER_MUTED})
"""Flags that hold where nobody can read whether they do."""
SWITCH_INTERVAL_S = 0.0001
"""How long another thread (a pin driver's) may keep the loop from running, once the loop has something to do."""

_log = Log("gateway")


def run(settings: GatewaySettings, enrolment: Enrolment | None = None) -> int:
    """Run the daemon until SIGTERM or SIGINT; gives the exit status. `enrolment`: where `settings` have come from.

    0 after an orderly stop (at most 3 s), 75 where that was to be started anew, 1 where it could not start (told on
    the log), 70 after a programmer's error: outputs are off and the worker is mute by then.
    """
    began_at = time.monotonic()
    faulthandler.enable()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with ExitStack() as opened:
        try:
            daemon = _build(settings, enrolment, opened, began_at)
        except (HardwareError, SettingsError, StateError) as error:
            _log.error("cannot start", why=str(error))
            return EXIT_FAILED
        try:
            daemon.run()
            if not daemon.say_goodbye(GOODBYE_S):
                _log.warning("stopped without a good-bye: the last will speaks")
        except Exception:  # noqa: BLE001 - the top of the process: it unkeys, tells and ends
            opened.close()
            _log.exception("programmer's error, the process ends")
            return EXIT_BUG
    _log.info("stopped")
    return EXIT_RESTART if daemon.restart_wanted else EXIT_OK


def _build(settings: GatewaySettings, enrolment: Enrolment | None, opened: ExitStack, began_at: float) -> Daemon:
    """Make every part; `opened` takes down what was made, the last first: mute, good-bye, pins, files."""
    notifier = Notifier()
    loop = Loop()
    opened.callback(loop.close)
    inbox = Inbox()
    state = StateDir(settings.state_dir())
    opened.callback(state.close)
    hardware = _hardware(settings, enrolment)
    foreign = enrolment is not None and enrolment.hardware != hardware

    def worker_settings(wanted: StartWorker) -> WorkerSettings:
        return settings.worker(
            enrolled=enrolment is not None,
            agora=wanted.agora,
            outside=wanted.outside,
            rest=None if enrolment is None else _rest_access(enrolment, EnrolmentStore(state.path), hardware),
        )

    agora = settings.over_agora(enrolment)
    worker = WorkerProcess(
        loop,
        worker_settings(StartWorker(agora=agora, outside=foreign)),
        on_event=lambda event: inbox(FromWorker(event=event)),
        on_gone=lambda reason: inbox(WorkerGone(reason=reason)),
    )
    closing = opened.enter_context(ExitStack())
    closing.callback(worker.close, WORKER_END_S)
    worker.start_early()

    boot = state.boot(time.time())
    if boot.problem:
        _log.error("state directory is damaged", why=boot.problem)
        inbox(Trouble(alert="state-dir", holds=True))
    levels, damage = levels_file.read(state.path)
    if damage:
        _log.error("sound levels are lost", why=damage)
        inbox(Trouble(alert="state-dir", holds=True))
    board = settings.pins.wiring()
    buttons = Buttons(loop, board, inbox)
    panel = open_hardware(settings.pins, buttons.on_edge)
    opened.callback(_close_hardware, panel)
    _look_at_kernel(settings, inbox)
    link = BrokerLink(loop, settings, inbox)
    if enrolment is not None:
        boot = replace(boot, generation=enrolment.generation)
    who = replace(
        _who(settings, boot, board.name, hardware),
        enrolled=enrolment is not None,
        foreign=foreign,
        agora=agora,
        mic_db=levels.mic_db,
        speaker_db=levels.speaker_db,
        replay_keep=settings.replay.keep,
        emergency_since=read_emergency(state.path, unreadable=int(time.time() * 1000)),
        flags=frozenset(flag for flag in Flag if read_flag(state.path, flag.value, unreadable=flag in SAFE_AS_YES)),
    )
    vehicle = Vehicle(who, random.SystemRandom().random)
    health = Health(notifier, vehicle, link, on_ready=lambda: _ready(began_at))
    answers = Answers(
        panel.panel,
        settings.lights,
        minute_of_day,
        lambda what: inbox(Trouble(alert="panel", holds=bool(what), what=what)),
    )
    rest = None
    if enrolment is not None:
        store = EnrolmentStore(state.path)
        rest = TokenClient(store, enrolment, hardware or "", version(), loop.call_soon_threadsafe, inbox)
        opened.callback(rest.close)
    chores = Chores(state.path, settings.shutdown_request(), loop.call_soon_threadsafe, inbox)
    opened.callback(chores.close)
    chores.ask_shutdown(AskShutdown(wanted=False))  # what an earlier run may have asked for holds no more
    daemon = Daemon(
        loop=loop,
        inbox=inbox,
        vehicle=vehicle,
        link=link,
        worker=worker,
        buttons=buttons,
        answers=answers,
        chores=chores,
        health=health,
        rest=rest,
        worker_settings=worker_settings,
        about=_about(settings, boot) | {"enrolled": enrolment is not None, "voice_over": "agora" if agora else "mqtt"},
    )
    desk = LevelsDesk(vehicle.levels, inbox, lambda: vehicle.worker.state == "ok")
    status = StatusServer(loop, settings.status_socket(), daemon.status, desk.answer)
    opened.callback(status.close)
    opened.callback(worker.close, WORKER_END_S)
    closing.pop_all()  # from here on the worker ends before the rest: it is mute while the good-bye is said
    opened.callback(link.hang_up)
    opened.callback(answers.safe)
    opened.callback(_mute_unless_quitting, worker)
    buttons.begin(panel.panel.level, missing=panel.panel.missing.keys())
    _take_signals(loop, daemon, opened)
    return daemon


def _rest_access(enrolment: Enrolment, store: EnrolmentStore, hardware: str | None) -> RestAccess:
    """How the voice worker reaches the office; its secret is that of the broker."""
    return RestAccess(
        url=enrolment.rest_url, ca=str(store.ca_path), login=str(login(enrolment)), hardware=hardware or ""
    )


def _ready(began_at: float) -> None:
    """What lives now lives for the whole run: the collector need not look at it again at every press."""
    gc.freeze()
    _log.info("ready", took_ms=(time.monotonic() - began_at) * 1000)


def _look_at_kernel(settings: GatewaySettings, feed: Callable[[CoreEvent], None]) -> None:
    """Tell where a killed daemon would leave the motor running or the radio muted."""
    if settings.pins.factory != "virtual" and outputs_persist():
        feed(Trouble(alert="outputs-persist", holds=True))


def _mute_unless_quitting(worker: WorkerProcess) -> None:
    """After an error nobody has told the worker to quit: closing its pipe mutes it at once."""
    if not worker.quitting:
        worker.mute()


def _close_hardware(hardware: Hardware) -> None:
    """Outputs off, pins released; a pin that cannot be is told, and the others are."""
    try:
        hardware.close()
    except Exception as error:  # noqa: BLE001 - each pin library has error types of its own
        _log.error("the panel did not close", why=str(error))


def _take_signals(loop: Loop, daemon: Daemon, opened: ExitStack) -> None:
    """SIGTERM, SIGINT and SIGHUP stop us in order; an error in any thread ends the loop as one of its own would."""

    def stop(_number: int, _frame: object) -> None:
        loop.call_soon_threadsafe(daemon.shut_down)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)

    def fail(arguments: threading.ExceptHookArgs) -> None:
        error = arguments.exc_value or RuntimeError("a thread ended without saying why")

        def again() -> None:
            raise error

        loop.call_soon_threadsafe(again)

    threading.excepthook = fail
    opened.callback(setattr, threading, "excepthook", threading.__excepthook__)


def _hardware(settings: GatewaySettings, enrolment: Enrolment | None) -> str | None:
    """This machine's id. Only an enrolled unit must have one: it would not know itself otherwise."""
    try:
        return hardware_id(settings.state.hardware_id_file)
    except SettingsError as error:
        if enrolment is not None:
            raise
        _log.warning("nothing tells this machine from another", why=str(error))
        return None


def _who(settings: GatewaySettings, boot: Boot, board: str, hardware: str | None) -> Who:
    vehicle, audio = settings.vehicle, settings.audio
    presence = Presence(
        state=PresenceState.ONLINE,
        connection_id=(boot.generation, boot.number, 0),
        presence_no=0,
        app_type=vehicle.app_type,
        name=vehicle.name,
        device_info=vehicle.device_info,
        hardware=hardware,
    )
    info = DeviceInfo(
        version=version(),
        python=platform.python_version(),
        board=f"{model()}, wiring {board}"[:256],
        pins=settings.pins.factory,
        capture=f"{audio.backend}: {audio.capture_device or 'default'}",
        playback=f"{audio.backend}: {audio.playback_device or 'default'}",
    )
    return Who(
        user=vehicle.user,
        generation=boot.generation,
        boot=boot.number,
        presence=presence,
        info=info,
        lang=vehicle.lang,
        priority=Priority(vehicle.priority),
        emergency=settings.emergency,
        focus=settings.focus,
        button=settings.button,
        ignition=settings.ignition,
        telemetry=settings.telemetry,
    )


def _about(settings: GatewaySettings, boot: Boot) -> dict[str, object]:
    vehicle = settings.vehicle
    return {
        "user": vehicle.user,
        "name": vehicle.name,
        "office": str(vehicle.office_id),
        "broker": settings.broker.address,
        "pins": settings.pins.factory,
        "version": version(),
        "boot": boot.number,
    }
