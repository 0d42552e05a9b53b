"""`ptt-dispatch alerts`: as a command."""

import argparse
import os
import sys
from collections.abc import Callable

from dispatch.credentials import with_credentials
from dispatch.settings import DispatchSettings
from service.logs import configure
from service.settings import load

Command = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add(command: Command) -> None:
    """Add the command to the command line."""
    command("alerts", run, "raise the offices' alerts, tell webhooks, serve /metrics, until SIGTERM")


def run(options: argparse.Namespace) -> int:
    """Run the process."""
    from dispatch.alerting.app import AlertsApp  # prometheus_client, requests: no other command waits for their import

    settings = with_credentials(load(options.config, DispatchSettings), os.environ.get("CREDENTIALS_DIRECTORY"))
    configure("ptt-dispatch-alerts", settings.log_level)
    try:
        app = AlertsApp(settings)
    except OSError as error:
        metrics = settings.metrics
        print(
            f"ptt-dispatch: [metrics] {metrics.host}:{metrics.port} cannot be taken ({error.strerror}) "
            "-> end what uses it (ss -ltnp), or choose another port; 0: nowhere",
            file=sys.stderr,
        )
        return 1
    app.run()
    return 0
