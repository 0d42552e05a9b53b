"""Runs one command of the registry; every operating error becomes one line and an exit status."""

import argparse
import sys
from collections.abc import Callable, Mapping

from dispatch.broker.admin import BrokerError
from dispatch.broker.files import BrokerFilesError
from dispatch.pki import PkiError
from dispatch.ports import StoreUnavailable
from dispatch.registry.port import RegistryError
from dispatch.registry_cli import bursts, device, install, people, probe, revoking
from dispatch.registry_cli.desk import Desk

INTERRUPTED = 130
"""Exit status after Ctrl-C, as a shell gives it."""

COMMANDS: Mapping[str, Callable[[Desk], int]] = {
    "region.add": people.region_add,
    "region.list": people.region_list,
    "office.add": people.office_add,
    "office.list": people.office_list,
    "office.rename": people.office_rename,
    "office.voice": people.office_voice,
    "office.replay": bursts.office_replay,
    "office.revoke": revoking.revoke_office,
    "user.add": people.user_add,
    "user.list": people.user_list,
    "user.show": people.user_show,
    "user.rename": people.user_rename,
    "user.priority": people.user_priority,
    "user.listen-only": people.user_listen_only,
    "user.revoke": revoking.revoke,
    "user.restore": people.user_restore,
    "user.rotate": people.user_rotate,
    "device.add": device.add,
    "device.code": device.code,
    "device.rotate": device.code,
    "device.rename": device.rename,
    "device.list": device.list_units,
    "device.revoke": revoking.revoke,
    "device.cured": device.cured,
    "device.clear-alerts": device.clear_alerts,
    "bursts.list": bursts.list_bursts,
    "bursts.delete": bursts.delete,
    "cert.show": install.cert_show,
    "cert.renew": install.cert_renew,
    "broker.config": install.broker_config,
    "probe.make": probe.make,
}


def run(options: argparse.Namespace) -> int:
    """Run what `options.do` names; gives the exit status. Raises SettingsError and OSError."""
    try:
        if options.do == "init":
            return install.init(options)
        desk = Desk(options)
        try:
            return COMMANDS[options.do](desk)
        finally:
            desk.close()
    except (RegistryError, PkiError, BrokerError, BrokerFilesError, StoreUnavailable) as error:
        for line in (str(error), *getattr(error, "__notes__", ())):
            print(f"ptt-dispatch: {line}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED  # whatever was asked for was not done, or not wholly
