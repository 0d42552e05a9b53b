"""What every command of the registry works with: settings, the registry, the broker, and where secrets are shown."""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from dispatch.broker.admin import BrokerAdmin
from dispatch.credentials import with_credentials
from dispatch.probing.place import real
from dispatch.registry.port import NotThere
from dispatch.registry.sql import SqlRegistry
from dispatch.registry.texts import Refused, tell
from dispatch.registry.words import User
from dispatch.settings import DispatchSettings
from protocol.ids import OfficeId
from service.mqtt import BrokerSettings
from service.settings import Secret, load


class Desk:
    """One command's. Raises SettingsError, StoreUnavailable, and Refused where the registry admits nobody."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.settings = with_credentials(
            load(options.config, DispatchSettings), os.environ.get("CREDENTIALS_DIRECTORY")
        )
        if self.settings.admission != "registry":
            raise Refused(
                f'{options.config}: admission is "open", so the registry admits nobody -> run ptt-dispatch init'
            )
        self.registry = SqlRegistry(self.settings.store.sqlalchemy_url)

    def close(self) -> None:
        """Let go of the registry."""
        self.registry.close()

    # --- talking ----------------------------------------------------------------------------------------------------

    def say(self, key: str, **fields: object) -> None:
        """Print a sentence."""
        print(tell(key, self.options.lang, **fields))

    def text(self, key: str, **fields: object) -> str:
        """Give a sentence."""
        return tell(key, self.options.lang, **fields)

    # --- whom it is about -------------------------------------------------------------------------------------------

    def where(self) -> tuple[OfficeId, str]:
        """Give the office and id that were named, where that is clear; the user need not be there."""
        given, user = self.options.user
        office = given or self.options.office
        if given is not None and self.options.office not in (None, given):
            raise Refused(f"{given}/{user} and --office {self.options.office} contradict each other -> give one")
        if office is not None:
            return office, user
        known = list(real(found.office for found in self.registry.users() if found.user == user))
        offices = known or list(real(each.id for each in self.registry.offices()))
        if len(offices) != 1:
            names = ", ".join(map(str, offices)) or "none"
            raise Refused(f"{user}: which office? -> write REGION/OFFICE/{user}; offices: {names}")
        return offices[0], user

    def user(self) -> User:
        """Give the user that was named; raises NotThere."""
        office, name = self.where()
        found = self.registry.user(office, name)
        if found is None:
            raise NotThere(f"there is no user {name} in {office} -> see: ptt-dispatch user list")
        return found

    # --- the broker and secrets -------------------------------------------------------------------------------------

    def broker(self) -> BrokerAdmin:
        """Give the broker's users, to be entered; raises Refused without the server's own password."""
        return BrokerAdmin(self.broker_settings())

    def broker_settings(self) -> BrokerSettings:
        """Give how to reach the broker under the server's own login; raises Refused without its password."""
        if self.settings.broker.username is not None and self.settings.broker.password is None:
            raise Refused(f"the broker's password cannot be read from {self.settings.secrets} -> use sudo")
        return self.settings.broker

    @contextlib.contextmanager
    def secret_place(self) -> Iterator["SecretPlace"]:
        """Give where a secret is going to be shown; made sure of before anything is changed."""
        path: Path | None = self.options.secret_file
        if path is None:
            if not sys.stdout.isatty() and not self.options.show_secret:
                raise Refused("this is no terminal to show a secret on -> give --secret-file FILE, or --show-secret")
            yield SecretPlace(self, None)
            return
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
            try:
                yield SecretPlace(self, file)
            except BaseException:
                path.unlink(missing_ok=True)
                raise


class SecretPlace:
    """The terminal, or a new file, which is written through its handle: by its name it may be another one by now."""

    def __init__(self, desk: Desk, file: TextIO | None) -> None:
        self._desk, self._file = desk, file

    def show(self, login: str, secret: Secret) -> None:
        """Show it there, this once."""
        self._desk.say("login", login=login)
        if self._file is None:
            self._desk.say("secret", secret=secret.reveal())
            return
        self._file.write(f"{secret.reveal()}\n")
        self._file.flush()
        self._desk.say("secret_file", path=self._desk.options.secret_file)
