"""`ptt-gateway enrol`: by hand, or at first boot with the file on the boot partition."""

from __future__ import annotations

import argparse
import getpass
import sys
from contextlib import suppress
from pathlib import Path

from gateway import settings
from gateway.about import model, version
from gateway.enrol import EnrolFailed, Why, enrol
from gateway.enrol_texts import ASK_CODE, FILE_EMPTY, RESTART, WAS, WHY, is_now
from gateway.enrolment import EnrolmentStore
from gateway.first_boot import FileWrong, enrol_from_file
from gateway.hardware_id import hardware_id
from protocol.rest import Enrolment
from service.settings import SettingsError, load

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_DEAD_CODE = 0, 1, 2, 3
CODE_CHARS_MAX = 200


def run(arguments: argparse.Namespace, lang: str) -> int:
    """Run the command; gives its exit status."""
    if (arguments.url is None) == (arguments.file is None):
        print("ptt-gateway enrol: give URL and CODE, or --file", file=sys.stderr)
        return EXIT_USAGE
    unit = _Unit(arguments.config, arguments.state_dir)
    file = next((path for path in arguments.file or () if path.exists()), (arguments.file or [None])[0])
    try:
        before = unit.before()
        if file is None:
            enrolment = unit.enrol(arguments.url, _code(arguments.code, lang))
            print(is_now(enrolment, lang))
        else:
            print(enrol_from_file(file, unit.enrol, patient=before is None), end="")
    except EnrolFailed as error:
        print(f"{WHY[error.why].in_(lang)}\n{error.detail}", file=sys.stderr)
        if error.why.dead:
            return EXIT_DEAD_CODE
        return EXIT_USAGE if error.why in (Why.BAD_CODE, Why.BAD_URL, Why.CONFIG) else EXIT_FAILED
    except FileWrong as error:
        print(f"{FILE_EMPTY.in_(lang)}\n{error}", file=sys.stderr)
        return EXIT_USAGE
    if before is not None:
        print(WAS.in_(lang).format(user=before.user, office=f"{before.region}/{before.office}"))
    if file is None:
        print(RESTART.in_(lang))
    return EXIT_OK


class _Unit:
    """This machine, and where it keeps what it is."""

    def __init__(self, config: Path, state_dir: Path | None) -> None:
        self._config = config
        self._state = settings.read_state(config)
        self._store = EnrolmentStore(state_dir or self._state.directory())

    def before(self) -> Enrolment | None:
        """What it was; a damaged enrolment was nothing."""
        with suppress(SettingsError):
            return self._store.read()
        return None

    def enrol(self, url: str, code: str) -> Enrolment:
        """Enrol; a configuration that would contradict the enrolment is told before the code is used up."""
        with suppress(SettingsError):  # what else is wrong there is told by `check-config` and at the start
            configuration = load(self._config, settings.GatewaySettings)
            twice = settings.told_twice(configuration, self._config, self._store.path)
            if twice:
                raise EnrolFailed(Why.CONFIG, "\n".join(map(str, twice)))
        try:
            hardware = hardware_id(self._state.hardware_id_file)
        except SettingsError as error:
            raise EnrolFailed(Why.CONFIG, str(error)) from None
        return enrol(url, code, self._store, hardware, version(), model())


def _code(given: str, lang: str) -> str:
    if given != "-":
        return given
    if sys.stdin.isatty():
        return getpass.getpass(ASK_CODE.in_(lang))
    return sys.stdin.readline(CODE_CHARS_MAX)
