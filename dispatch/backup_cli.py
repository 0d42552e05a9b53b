"""`ptt-dispatch backup FILE` and `restore FILE`."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from dispatch.about import version
from dispatch.credentials import with_credentials
from dispatch.doctor.cli import services
from dispatch.ports import StoreUnavailable
from dispatch.settings import DispatchSettings
from dispatch.show import moment
from dispatch.upkeep_words import say
from service.settings import load

Command = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add(command: Command) -> None:
    """Add both commands to the command line."""
    made = command("backup", run_backup, "write the store, as of this moment, into a new file; the services run on")
    made.add_argument("file", type=Path, metavar="FILE", help="the file to make, mode 0600")
    made.add_argument(
        "--with-secrets", action="store_true", help="with configuration, certificates, keys and passwords"
    )
    made = command("restore", run_restore, "put a backup back; the services must be stopped")
    made.add_argument("file", type=Path, metavar="FILE", help="what `backup` made")
    made.add_argument(
        "--with-secrets",
        action="store_true",
        help="the files beside the store as well, where they are not there; also the configuration",
    )


def run_backup(options: argparse.Namespace) -> int:
    """Make a backup and say what is in it."""
    from dispatch.backup import STORE, BackupError, make  # cryptography: other commands do without

    settings = with_credentials(load(options.config, DispatchSettings), os.environ.get("CREDENTIALS_DIRECTORY"))
    now_ms = time.time_ns() // 1_000_000
    try:
        made = make(
            settings, options.config, options.file, secrets=options.with_secrets, version=version(), now_ms=now_ms
        )
    except BackupError as error:
        return _fail(str(error))
    manifest, lang = made.manifest, options.lang
    size = f"{made.size_bytes / 1_000_000:.1f}"
    fields = {"store": manifest.store_id, "users": manifest.users, "rev": manifest.registry_rev}
    print(say("backed_up", lang, path=made.path, size=size, **fields))
    if manifest.with_secrets:
        print(say("backup_files", lang, files=", ".join(name for name in manifest.parts if name != STORE)))
    else:
        print(say("backup_no_keys", lang))
    print(say("backup_secret", lang, more=say("backup_keys", lang) if manifest.with_secrets else ""))
    return 0


def run_restore(options: argparse.Namespace) -> int:
    """Put a backup back and say what is older now."""
    from dispatch.backup import BackupError

    try:
        return _restore(options)
    except (BackupError, StoreUnavailable) as error:
        return _fail(str(error))


def _restore(options: argparse.Namespace) -> int:
    from dispatch.backup import CONFIG, STORE, BackupError, places_of, store_file, unpacked
    from dispatch.restore import restore_store

    lang = options.lang
    beside = options.config.parent
    with unpacked(options.file, beside if beside.is_dir() else Path.cwd()) as (manifest, parts):
        if options.with_secrets and CONFIG not in parts:
            raise BackupError(f"{options.file} was made without --with-secrets -> leave it out, or take another backup")
        config = options.config
        if options.with_secrets and not config.exists():
            config = parts[CONFIG]
        settings = load(config, DispatchSettings)
        store = store_file(settings)
        running, stuck = services(settings.status_socket_stem)
        if running or stuck:
            raise BackupError(
                "a service is running -> "
                "systemctl stop ptt-dispatch ptt-dispatch-rest ptt-dispatch-web ptt-dispatch-alerts"
            )
        places = {CONFIG: options.config, **places_of(settings)} if options.with_secrets else {}
        others = {name: path for name, path in parts.items() if name != STORE and name in places}
        _refuse_others({places[name]: part for name, part in others.items()})
        _folder(store.parent)
        copy = _beside(parts[STORE], store)
        try:
            stamp = time.strftime("%Y%m%d-%H%M%S")
            done = restore_store(copy, manifest, store, stamp)
        finally:
            _forget(copy)
        made = moment(manifest.made_at)
        print(say("restored", lang, path=done.store, made=made, epoch=done.epoch))
        for name, part in others.items():
            if not places[name].exists():
                _put(part, places[name], manifest.parts[name].mode)
                print(say("restored_file", lang, what=name, path=places[name]))
    if done.former is not None:
        print(say("kept_old", lang, path=done.former))
    if done.compared is None:
        print(say("no_old", lang, made=made))
    else:
        for key, users in (
            ("revoked_again", done.compared.revoked),
            ("enrol_again", done.compared.enrolled),
            ("add_again", done.compared.added),
        ):
            if users:
                print(say(key, lang, users=", ".join(users)))
    print(say("restore_next", lang))
    return 0


# --- files ------------------------------------------------------------------------------------------------------------


def _refuse_others(wanted: dict[Path, Path]) -> None:
    """Nothing that is there is overwritten: what differs is an error before anything was done."""
    from dispatch.backup import BackupError

    differ = [str(to) for to, part in wanted.items() if to.exists() and to.read_bytes() != part.read_bytes()]
    if differ:
        raise BackupError(
            f"there and other than in the backup: {', '.join(differ)} -> move them away, or leave --with-secrets out"
        )


def _put(part: Path, to: Path, mode: int) -> None:
    from dispatch.pki import write_file

    _folder(to.parent)
    write_file(to, part.read_bytes(), mode)


def _folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _beside(part: Path, store: Path) -> Path:
    """Copy to where the store lies, which may be another disk."""
    to = store.with_name(f".{store.name}.restore")
    _forget(to)
    with part.open("rb") as source, open(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
        while block := source.read(1 << 20):
            target.write(block)
        target.flush()
        os.fsync(target.fileno())
    return to


def _forget(copy: Path) -> None:
    for path in _with_logs(copy):
        path.unlink(missing_ok=True)


def _with_logs(store: Path) -> Iterable[Path]:
    return (store, *(store.with_name(f"{store.name}{end}") for end in ("-wal", "-shm", "-journal")))


def _fail(text: str) -> int:
    print(f"ptt-dispatch: {text}", file=sys.stderr)
    return 1
