"""`ptt-dispatch init | cert | broker-config`."""

import argparse
import datetime as dt
import json
import os
import socket
from pathlib import Path

from cryptography import x509

from dispatch import credentials, install, pki
from dispatch.broker import files as broker_files
from dispatch.registry.secrets import hash_secret
from dispatch.registry.texts import Refused, tell
from dispatch.registry_cli.desk import Desk
from dispatch.settings import DEFAULT_PATH, RestSettings
from protocol.ids import OfficeId
from service.mqtt import BrokerSettings

DEFAULT_STORE = Path("/var/lib/ptt-dispatch/office.db")
DEFAULT_SECRETS = Path("/etc/credstore")
ANY_ADDRESS = ("0.0.0.0", "::")
PROBE_S = 1.0


def init(options: argparse.Namespace) -> int:
    """Make everything, and say what there is to do next."""
    plan = plan_of(options)
    made = install.init(plan, _now())
    lang = options.lang
    print(tell("init_done", lang, office=plan.office, name=plan.name, admin=made.login))
    print(tell("made", lang))
    for path in made.files:
        print(f"  {path}")
    print(tell("admin_secret", lang, admin=plan.admin, path=plan.admin_secret))
    if options.show_secret:
        print(tell("secret", lang, secret=made.secret.reveal()))
    print(tell("next", lang))
    for line in (tell("next_backup", lang, path=plan.ca_key), *_linked(plan, options)):
        print(f"  - {line}")
    print(f"  - {tell('next_start', lang)}")
    print(f"  - {tell('next_device', lang)}")
    return 0


def plan_of(options: argparse.Namespace) -> install.Plan:
    """Give the plan that the arguments make, with its defaults: the machine's own folders for /etc/ptt."""
    folder = options.dir.absolute()
    usual = folder == DEFAULT_PATH.parent
    store = options.store or (DEFAULT_STORE if usual else folder / "store" / "office.db")
    secrets = options.secrets or (DEFAULT_SECRETS if usual else folder / "secrets")
    broker_dir = options.broker_dir or (broker_files.DEFAULT_FOLDER if usual else folder / "broker")
    return install.Plan(
        folder=folder,
        store=store.absolute(),
        secrets=secrets.absolute(),
        broker_dir=broker_dir.absolute(),
        office=OfficeId(options.region, options.office),
        name=options.name,
        region_name=options.region_name or options.region,
        voice=options.voice,
        hosts=tuple(options.host),
        admin=options.admin,
        listen=options.listen,
        broker_port=_port(options.broker_port),
        rest_port=_port(options.rest_port),
        web_port=_port(options.web_port),
        websocket_port=options.websocket_port and _port(options.websocket_port),
    )


def _port(port: int) -> int:
    if not 1 <= port <= 65535:
        raise Refused(f"{port} is no port -> give one from 1 to 65535")
    return port


def _linked(plan: install.Plan, options: argparse.Namespace) -> list[str]:
    """Put mosquitto's configuration where it reads, if that is wanted; gives what there is left to do."""
    usual = plan.folder == DEFAULT_PATH.parent and broker_files.CONF_D.is_dir()
    todo = {"conf": plan.broker_dir / broker_files.CONF, "place": broker_files.CONF_D / broker_files.CONF}
    if not (usual if options.link is None else options.link):
        return [tell("next_link", options.lang, **todo)]
    try:
        broker_files.install(plan.broker_dir)
    except broker_files.BrokerFilesError as error:
        return [tell("link_failed", options.lang, why=error), tell("next_link", options.lang, **todo)]
    return []


# --- certificates ----------------------------------------------------------------------------------------------------


def cert_show(desk: Desk) -> int:
    """Show names and ends; gives 1 where one has ended or was not signed by the authority."""
    rest, now = _rest(desk), _now()
    authority, server = pki.read_certificate(rest.ca), pki.read_certificate(rest.certificate)
    shown = [(rest.ca, authority), (rest.certificate, server)]
    good = pki.signed_by(server, authority) and all(pki.days_left(each, now) >= 0 for _, each in shown)
    if desk.options.json:
        print(json.dumps([_cert_dict(path, each, now) for path, each in shown], ensure_ascii=False))
        return 0 if good else 1
    for path, each in shown:
        names = ", ".join(pki.hosts_of(each)) or each.subject.rfc4514_string()
        until = each.not_valid_after_utc.date().isoformat()
        desk.say("cert", path=path, hosts=names, until=until, days=pki.days_left(each, now))
    return 0 if good else 1


def _cert_dict(path: Path, certificate: x509.Certificate, now: dt.datetime) -> dict[str, object]:
    return {
        "path": str(path),
        "hosts": list(pki.hosts_of(certificate)),
        "not_valid_after": certificate.not_valid_after_utc.isoformat(),
        "days_left": pki.days_left(certificate, now),
    }


def cert_renew(desk: Desk) -> int:
    """Make a new server certificate of the same authority, for REST and broker."""
    rest = _rest(desk)
    key = rest.key or (None if desk.settings.secrets is None else desk.settings.secrets / f"ptt.{credentials.TLS_KEY}")
    if key is None:
        raise Refused("nothing says where the server's key lies -> set secrets, or key in [rest]")
    authority = pki.read_authority(rest.ca, install.ca_key(rest.ca))
    hosts = pki.hosts_of(pki.read_certificate(rest.certificate))
    if desk.options.host:
        hosts = (*desk.options.host, *install.OWN_HOSTS)
    leaf = pki.new_server(authority, hosts, _now())
    for path, content in ((key, leaf.key_pem), (rest.certificate, leaf.certificate_pem)):
        status = path.stat()
        pki.write_file(path, content, status.st_mode & 0o777)
        if os.geteuid() == 0:
            os.chown(path, status.st_uid, status.st_gid)
    if desk.settings.broker_dir is not None:
        broker_files.install_certificates(desk.settings.broker_dir, ca=rest.ca, cert=rest.certificate, key=key)
    desk.say("cert_renewed")
    desk.say("cert_next")
    return 0


# --- the broker's folder ---------------------------------------------------------------------------------------------


def broker_config(desk: Desk) -> int:
    """Write mosquitto's folder anew from the registry; mosquitto must not run meanwhile."""
    folder = desk.options.broker_dir or desk.settings.broker_dir
    if desk.options.if_damaged and (folder is None or not broker_files.damaged(folder)):
        return 0
    rest, broker = _rest(desk), desk.settings.broker
    if folder is None:
        raise Refused("nothing says which folder is mosquitto's -> set broker_dir, or give --broker-dir")
    if rest.key is None or broker.password is None:
        raise Refused(f"the server's secrets cannot be read from {desk.settings.secrets} -> use sudo")
    if _answers(broker):
        raise Refused(f"a broker runs at {broker.address} and would undo this -> first: systemctl stop mosquitto")
    paths = broker_files.write(
        folder,
        users=desk.registry.users(),
        offices=desk.registry.offices(),
        server_secret=hash_secret(broker.password),
        host_port=broker.port,
        ca=rest.ca,
        cert=rest.certificate,
        key=rest.key,
        listen="" if rest.host in ANY_ADDRESS else rest.host,
        websocket_port=desk.settings.web.websocket_port,
    )
    # The usual folder in any case: on a new machine, after a restore, an open configuration lies there.
    place = broker_files.CONF_D
    if broker_files.reads(folder, place) or (folder == broker_files.DEFAULT_FOLDER and place.is_dir()):
        broker_files.install(folder, place)
    desk.say("broker_config", paths=", ".join(map(str, paths)))
    return 0


def _answers(broker: BrokerSettings) -> bool:
    try:
        socket.create_connection((broker.host, broker.port), PROBE_S).close()
    except OSError:
        return False
    return True


def _rest(desk: Desk) -> RestSettings:
    if desk.settings.rest is None:
        raise Refused(
            f"{desk.options.config}: there is no [rest], which names the certificates -> run ptt-dispatch init"
        )
    return desk.settings.rest


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
