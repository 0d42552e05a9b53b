"""The office's doctor: every fault is a row that says what to do, in two languages; what is well is told too."""

import datetime as dt
import json
import re
import sqlite3
from pathlib import Path

import pytest
from msgspec.structs import replace

from dispatch import pki
from dispatch.core.state import Floor
from dispatch.doctor import clock, papers, service, store, texts
from dispatch.doctor.rows import Level, Row, as_json, bad, exit_status, lines, ok, warn
from dispatch.live import Live, LiveOffice
from dispatch.settings import AgoraServerSettings, DispatchSettings, RestSettings, StoreSettings
from dispatch.store.sql import SqlStore
from lab.broker import free_port
from protocol.ids import OfficeId
from service.mqtt import BrokerSettings
from service.settings import Secret
from tests.core.test_admission_status import GOOD

NOW = dt.datetime(2026, 11, 23, 4, 0, tzinfo=dt.UTC)
WELL = Live(
    replica="1",
    version="1.2",
    pid=7,
    up_s=60.0,
    broker="b:8883",
    broker_connected=True,
    broker_reason="",
    store_error=None,
    offices=(LiveOffice(office="seoul/hq", opened=True, refused=None, discarded=0, cleaned=0),),
    dropped={"cleared": 3},
    admission=GOOD,
)


def faults(rows: list[Row]) -> list[tuple[str, str]]:
    return [(row.level.value, row.what) for row in rows if row.level is not Level.OK]


# --- the report -------------------------------------------------------------------------------------------------------


def test_the_report_counts_its_rows_and_only_what_is_bad_makes_it_fail() -> None:
    rows = [ok("disk", "disk", free="9", folder="/x"), warn("tokens", "no_kicking", ms="0.1", ttl=60)]

    assert exit_status(rows) == 0
    assert exit_status([*rows, bad("service", "not_running")]) == 1
    assert list(lines(rows, "en"))[-1] == "1 good, 1 to watch, 0 bad"
    assert next(iter(lines(rows, "ko"))) == "정상    디스크: /x: 여유 9 MB"
    told = json.loads(as_json(rows))
    assert (told["well"], [row["level"] for row in told["rows"]]) == (True, ["ok", "warn"])


def test_what_others_wrote_cannot_drive_the_terminal() -> None:
    row = bad("service", "refused", office="seoul/hq", why="\x1b[2Jgone")

    assert "\x1b" not in row.text("en")


@pytest.mark.parametrize("key", sorted(texts._TEXT))
def test_both_languages_say_the_same_fields_and_both_say_what_to_do_or_neither(key: str) -> None:
    english, korean = texts._TEXT[key]

    assert set(re.findall(r"{(\w+)}", english)) == set(re.findall(r"{(\w+)}", korean))
    assert (" -> " in english) == (" -> " in korean)


# --- service ----------------------------------------------------------------------------------------------------------


def test_a_service_that_is_well_has_no_fault_and_says_whom_it_serves() -> None:
    rows = list(service.look([WELL], [], "1.2"))

    assert faults(rows) == []
    assert [row.what for row in rows] == ["serves", "registry"]


@pytest.mark.parametrize(
    ("live", "told"),
    [
        (replace(WELL, version="1.1"), ("warn", "version")),
        (replace(WELL, broker_connected=False, broker_reason="refused"), ("bad", "no_broker")),
        (replace(WELL, store_error="disk full"), ("bad", "no_store")),
        (replace(WELL, offices=(replace(WELL.offices[0], refused="foreign"),)), ("bad", "refused")),
        (replace(WELL, offices=(replace(WELL.offices[0], cleaned=2),)), ("warn", "cleaned")),
        (replace(WELL, dropped={"malformed": 4}), ("warn", "dropped")),
        (replace(WELL, admission=replace(GOOD, error="locked")), ("bad", "registry_error")),
        (replace(WELL, admission=replace(GOOD, broker_fault="no rights")), ("bad", "broker_fault")),
        (replace(WELL, admission=replace(GOOD, broker_missing=("seoul.hq.a",))), ("bad", "missing")),
        (replace(WELL, admission=replace(GOOD, broker_unknown=("x",))), ("warn", "unknown")),
        (replace(WELL, admission=replace(GOOD, clones=("seoul/hq/a",))), ("bad", "clones")),
        (replace(WELL, admission=replace(GOOD, kicks=1, kick_error="503")), ("warn", "kicks")),
    ],
)
def test_every_fault_a_service_tells_of_is_a_row_with_a_mend_or_its_reason(live: Live, told: tuple[str, str]) -> None:
    rows = list(service.look([live], [], "1.2"))

    assert faults(rows) == [told]
    assert [lang for lang in ("en", "ko") for row in rows if not row.text(lang)] == []


def test_no_service_and_one_that_is_stuck_are_told_apart() -> None:
    assert faults(list(service.look([], [], "1"))) == [("bad", "not_running")]
    assert faults(list(service.look([], ["no answer"], "1"))) == [("bad", "stuck")]


# --- store and clock --------------------------------------------------------------------------------------------------


def settings(path: Path) -> DispatchSettings:
    return DispatchSettings(store=StoreSettings(path=path), admission="registry")


@pytest.fixture
def office(tmp_path: Path) -> Path:
    path = tmp_path / "office.db"
    SqlStore(f"sqlite:///{path}").close()
    return path


def test_a_store_that_is_well_is_sound_writable_and_left_as_it_was(office: Path) -> None:
    before = office.read_bytes()

    rows, _ = store.look(settings(office))

    assert [row.what for row in rows] == ["store", "store_size", "writable", "sound", "disk"]
    assert office.read_bytes() == before


def test_a_store_that_is_missing_open_to_others_or_damaged_is_bad(office: Path, tmp_path: Path) -> None:
    missing, _ = store.look(settings(tmp_path / "none.db"))
    office.chmod(0o644)
    loose, _ = store.look(settings(office))
    office.chmod(0o600)
    with office.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    damaged, _ = store.look(settings(office))

    assert (missing[0].level, loose[1].what) == (Level.BAD, "store_mode")
    assert Level.BAD in [row.level for row in damaged]
    assert "restore" in " ".join(row.text("en") for row in damaged)


def test_a_store_that_somebody_keeps_locked_is_told(office: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "BUSY_S", 0.05)
    holder = sqlite3.connect(office, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    rows, _ = store.look(settings(office))

    holder.close()
    assert "is locked by another process" in " ".join(row.text("en") for row in rows if row.level is Level.BAD)


@pytest.mark.parametrize(
    ("now", "kept", "told"),
    [
        (NOW, clock.Kept(synchronized=True, error_s=0.01), ("ok", "clock")),
        (NOW, clock.Kept(synchronized=True, error_s=3.0), ("warn", "clock_loose")),
        (NOW, clock.Kept(synchronized=False, error_s=16.0), ("warn", "clock_alone")),
        (NOW, None, ("warn", "clock_unknown")),
        (NOW.replace(year=2021), clock.Kept(synchronized=False, error_s=16.0), ("bad", "clock_past")),
    ],
)
def test_a_clock_is_well_only_where_the_network_keeps_it(
    now: dt.datetime, kept: clock.Kept | None, told: tuple[str, str]
) -> None:
    [row] = clock.look(now, lambda: kept)

    assert (row.level.value, row.what) == told


def test_the_kernel_is_asked_and_answers() -> None:
    found = clock.ask_kernel()

    assert found is not None
    assert found.error_s >= 0


# --- certificates, secrets, tokens ------------------------------------------------------------------------------------


class Papers:
    """An office's certificates in a folder; nobody shows them."""

    def __init__(self, folder: Path, made: dt.datetime = NOW, host: str = "office.example.com") -> None:
        authority = pki.new_authority("Seoul", made)
        leaf = pki.new_server(authority, (host,), made)
        (folder / "ca.pem").write_bytes(pki.certificate_pem(authority.certificate))
        (folder / "server.pem").write_bytes(leaf.certificate_pem)
        pki.write_file(folder / "key.pem", leaf.key_pem, 0o600)
        self.rest = RestSettings(
            url="https://office.example.com:8443",
            certificate=folder / "server.pem",
            ca=folder / "ca.pem",
            key=folder / "key.pem",
            host="127.0.0.1",
            port=free_port(),
        )
        self.settings = DispatchSettings(
            store=StoreSettings(path=folder / "office.db"),
            admission="registry",
            rest=self.rest,
            broker=BrokerSettings(host="127.0.0.1", username="ptt-dispatch", password=Secret("x")),
        )

    def told(self, now: dt.datetime = NOW, **changed: object) -> list[tuple[str, str]]:
        return faults(list(papers.look(replace(self.settings, **changed), now)))


def test_good_papers_leave_only_that_the_rest_service_does_not_answer(tmp_path: Path) -> None:
    assert Papers(tmp_path).told() == [("bad", "rest_silent")]


@pytest.mark.parametrize(
    ("days", "told"),
    [
        (825 - 59, ("warn", "server_ends")),
        (826, ("bad", "server_ended")),
        (3651, ("bad", "ca_ended")),
        (-10, ("bad", "not_yet")),
    ],
)
def test_the_end_of_a_certificate_is_told_before_it_comes(tmp_path: Path, days: int, told: tuple[str, str]) -> None:
    assert told in Papers(tmp_path).told(NOW + dt.timedelta(days=days))


def test_certificates_of_another_authority_or_host_are_bad(tmp_path: Path) -> None:
    mine = Papers(tmp_path, host="elsewhere.example.com")
    other = pki.new_authority("Other", NOW)
    (tmp_path / "ca.pem").write_bytes(pki.certificate_pem(other.certificate))

    assert [what for _, what in mine.told()] == ["foreign", "other_host", "rest_silent"]


def test_secrets_that_others_may_read_or_that_are_nowhere_are_bad(tmp_path: Path) -> None:
    mine = Papers(tmp_path)
    (tmp_path / "key.pem").chmod(0o644)

    told = mine.told(broker=BrokerSettings(username="ptt-dispatch"))

    assert [what for _, what in told] == ["rest_silent", "no_password", "secret_mode"]


@pytest.mark.parametrize(
    ("certificate", "told"),
    [(None, ("bad", "no_certificate")), (Secret("f" * 32), ("warn", "no_kicking"))],
)
def test_tokens_that_cannot_be_made_are_bad(tmp_path: Path, certificate: Secret | None, told: tuple[str, str]) -> None:
    agora = AgoraServerSettings(app_id="0" * 32, certificate=certificate)

    assert told in Papers(tmp_path).told(agora=agora)


def test_a_store_with_many_events_that_no_broker_took_is_told(office: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "UNPUBLISHED_WARN", -1)
    made = SqlStore(f"sqlite:///{office}")
    made.transact(
        OfficeId("seoul", "hq"), lambda tx: tx.put_floor(Floor(store=tx.store_id, channel_name="c")), durable=True
    )
    made.close()

    rows, [snapshot] = store.look(settings(office))

    assert (snapshot.office, faults(rows)) == (OfficeId("seoul", "hq"), [("warn", "unpublished")])
