"""`python -m lab.agora_stub stage <folder>` or `hub <socket> <app id> <file of the certificate>`."""

import signal
import sys
from pathlib import Path

from lab.agora_stub.build import CannotBuild, stage_stub
from lab.agora_stub.hub import Hub

USAGE = """usage: python -m lab.agora_stub stage <folder>
       python -m lab.agora_stub hub <socket> <app id> <file of the certificate>"""


def main(argv: list[str]) -> int:
    """Give the exit status; `hub` runs until SIGINT or SIGTERM."""
    match argv:
        case ["stage", folder]:
            try:
                print(stage_stub(Path(folder)))
            except (CannotBuild, OSError) as error:
                print(f"error: {error}", file=sys.stderr)
                return 1
        case ["hub", path, app_id, certificate]:
            ends = {signal.SIGINT, signal.SIGTERM}
            signal.pthread_sigmask(signal.SIG_BLOCK, ends)
            with Hub(app_id, Path(certificate).read_text("utf-8").strip(), Path(path)):
                print(f"a stand-in for Agora's cloud listens on {path}", flush=True)
                signal.sigwait(ends)
        case _:
            print(USAGE, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
