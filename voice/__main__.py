"""`python -m voice --pipe-fd N`: the voice worker, started by the daemon with its end of a SOCK_SEQPACKET pair."""

import argparse
import logging
import os
import signal
import socket
import sys
import time

import msgspec

from protocol.worker import Fault, encode
from protocol.worker_settings import decode_settings
from service.logs import Log, configure
from service.settings import SettingsError
from voice.devices.choose import BackendMissing
from voice.opus import OpusMissing
from voice.pipe import first_datagram
from voice.realtime import die_with_parent
from voice.worker import Worker

EXIT_UNUSABLE = 3
"""Something of the machine is missing (libopus, PyAudio, a certificate): restarting helps only once it is there."""

log = Log(__name__)


def main() -> int:
    """Run until the daemon ends it; gives the exit status."""
    epoch_s = time.monotonic()
    parser = argparse.ArgumentParser(prog="voice", description="Voice worker; started by ptt-gateway.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--pipe-fd", type=int, help="inherited descriptor of the pipe")
    what.add_argument("--list-devices", action="store_true", help="print the sound devices and exit")
    parser.add_argument("--json", action="store_true", help="print them as JSON")
    arguments = parser.parse_args()
    if arguments.list_devices:
        return _list_devices(arguments.json)
    sock = socket.socket(fileno=arguments.pipe_fd)
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the daemon decides
    configure("ptt-voice")
    try:
        settings = decode_settings(first_datagram(sock))
    except (OSError, msgspec.DecodeError) as error:
        log.error("no settings from the daemon", error=error)
        return EXIT_UNUSABLE
    configure("ptt-voice", settings.log_level)
    try:
        worker = Worker(settings, sock, epoch_s)
    except (OpusMissing, BackendMissing, SettingsError) as error:
        log.error("voice worker cannot start", error=error)
        sock.send(encode(Fault(what=str(error)[:512])))
        return EXIT_UNUSABLE
    signal.signal(signal.SIGTERM, lambda _number, _frame: worker.stop())
    worker.run()
    return 0


def _list_devices(as_json: bool) -> int:
    from voice.devices.listing import print_devices

    try:
        print_devices(as_json)
    except BackendMissing as error:
        print(error, file=sys.stderr)
        return EXIT_UNUSABLE
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    status = 1
    try:
        status = main()
    except Exception:  # the top of the process
        log.exception("voice worker failed")
    logging.shutdown()
    sys.stderr.flush()
    os._exit(status)  # native sound threads may hang an orderly exit
