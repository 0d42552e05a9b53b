"""A unit of an office with doors: it learns who it is by enrolment, as a technician does it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from lab.bench.parts import START_S, BenchFailed, Unit
from lab.office import Office, run_command

ANSWER_S = 0.3
"""A press is granted or refused long before."""


class EnrolledUnit(Unit):
    """A unit that learnt who it is by `ptt-gateway enrol` with a code of `office`."""

    def __init__(
        self, folder: Path, user: str, office: Office, audio: str, env: Mapping[str, str] | None = None
    ) -> None:
        hardware = folder / f"{user}.hardware-id"
        hardware.write_text(f"virtual {user}\n")
        who = '[vehicle]\nlang = "en"\n'
        super().__init__(folder, user, who, audio, env=env, state=f'hardware_id_file = "{hardware}"\n')
        url, code = office.code(user, user)
        run_command("gateway", ["enrol", url, "-", "--config", str(self.config)], stdin=f"{code}\n")

    def await_admitted(self) -> None:
        """Press until a press is granted: the office reads its registry once a second. Raises BenchFailed."""
        deadline = time.monotonic() + START_S
        granted = False
        while not granted:
            if time.monotonic() > deadline:
                raise BenchFailed(f"{self.user} is not admitted within {START_S:g} s")
            self.pins.press()
            time.sleep(ANSWER_S)
            granted = self.status()["presses"][-1]["handled_at"] is not None
            self.pins.release()
            time.sleep(ANSWER_S)
