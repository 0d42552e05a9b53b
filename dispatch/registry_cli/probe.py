"""`ptt-dispatch probe`: gives an office that was made before it the availability probe, or the probe a new secret."""

import os
from pathlib import Path

from msgspec.structs import replace

from dispatch import credentials, install, pki
from dispatch.probing.place import PROBE_LOGIN, PROBE_OFFICE, PROBE_USER
from dispatch.registry.secrets import hash_secret, new_secret
from dispatch.registry.texts import Refused
from dispatch.registry_cli.desk import Desk


def make(desk: Desk) -> int:
    """Make the probe's office, user, login at the broker and file of its secret; what is there is renewed."""
    folder = desk.settings.secrets
    if folder is None:
        raise Refused("nothing says where secrets lie -> set secrets in dispatch.toml, the folder of ptt.mqtt-password")
    path = folder / f"{credentials.PREFIX}{credentials.PROBE_PASSWORD}"
    if not os.access(folder, os.W_OK):
        raise Refused(f"{folder} cannot be written -> use sudo")
    with desk.broker() as broker:
        user, secret = install.add_probe(desk.registry, None), new_secret()
        if user.revoked_at is not None:
            user = desk.registry.restore(PROBE_OFFICE, PROBE_USER)
        kept = hash_secret(secret)
        try:
            broker.put_user(replace(user, secret=kept), secret)
            desk.registry.set_secret(PROBE_OFFICE, PROBE_USER, kept)
            _write(path, f"{secret.reveal()}\n".encode())
        except Exception as error:
            error.add_note("the probe is made in part, and does not press -> ptt-dispatch probe, again")
            raise
    desk.say("probe_made", login=PROBE_LOGIN, path=path)
    return 0


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    pki.write_file(path, content, 0o600)
