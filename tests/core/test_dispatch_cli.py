"""`ptt-dispatch` at the keyboard: what it prints, in two languages, and its exit status."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from dispatch.cli import main
from dispatch.core.notices import enrol_refused, log
from dispatch.core.state import Floor, FloorState, Member
from dispatch.credentials import with_credentials
from dispatch.ports import OfficeTx
from dispatch.settings import DispatchSettings
from dispatch.show import csv_line
from dispatch.store.sql import SqlStore
from protocol.ids import OfficeId
from protocol.messages import Event, EventType, PresenceState
from service.settings import SettingsError, load, parse

HQ, BUSAN = OfficeId("seoul", "hq"), OfficeId("seoul", "busan")
CONFIG = """
[broker]
host = "127.0.0.1"
username = "dispatch"
password = "hunter2"
[store]
path = "{store}"
[[office]]
region = "seoul"
office = "hq"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "dispatch.toml"
    path.write_text(CONFIG.format(store=tmp_path / "office.db"))
    return path


@pytest.fixture
def filled(config: Path, tmp_path: Path) -> Path:
    """The configuration of a store in which car-1 speaks and car-2 has left, with a log of five events."""
    store = SqlStore(f"sqlite:///{tmp_path}/office.db")
    store.transact(HQ, fill, durable=True)
    store.close()
    return config


def fill(tx: OfficeTx) -> None:
    tx.put_floor(
        Floor(
            store=tx.store_id,
            channel_name="c",
            state=FloorState.TAKEN,
            burst=7,
            holder="car-1",
            holder_name="김기사\x1b[31m",
            request_id=(1, 1, 1, 1),
            active=True,
            event_id="e",
            started_at=1_700_000_000_000,
            event_no=5,
        )
    )
    tx.put_member(Member(user="car-1", state=PresenceState.ONLINE, in_channel="e", name="김기사"))
    tx.put_member(Member(user="car-2", state=PresenceState.LOST, reason="heartbeat_timeout"))
    for number in range(1, 6):
        kind = EventType.USER_JOINED if number % 2 else EventType.USER_LEFT
        tx.append_event(
            Event(
                no=number,
                at=1_700_000_000_000 + number,
                event=kind,
                event_id="e",
                user="car-1",
                name='=cmd("x")',
                metadata={"burst": number},
            )
        )


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse
            code = int(str(stop.code))
        out, err = capsys.readouterr()
        return code, out, err

    return call


# --- configuration --------------------------------------------------------------------------------------------------


def test_the_example_configuration_is_good_and_its_comments_show_the_defaults() -> None:
    example = Path(__file__).resolve().parents[2] / "systemd" / "dispatch.toml.example"
    plain = load(example, DispatchSettings)
    wanted = {"replica", "log_level", "keepalive_s", "connect_timeout_s", "tls", "talk_limit_s", "hang_s", "queue"}

    text = re.sub(rf"(?m)^#(?=({'|'.join(wanted)}|queue_max) = )", "", example.read_text())

    assert parse(text, DispatchSettings, "example") == plain
    assert text != example.read_text()


def test_every_key_of_the_example_is_a_key() -> None:
    example = Path(__file__).resolve().parents[2] / "systemd" / "dispatch.toml.example"
    text = re.sub(r"(?m)^#(?=[a-z_0-9-]+ = |\[)", "", example.read_text())

    settings = parse(
        text.replace("tls = false", "tls = true").replace('url = "postgresql', '#url = "postgresql'),
        DispatchSettings,
        "example",
    )

    assert settings.office[0].names == {"car-1": "김기사"}
    assert settings.broker.username == "dispatch"
    assert settings.rest is not None
    assert settings.agora is not None
    assert settings.agora.kicking is not None


def test_a_good_configuration_is_said_to_be_good(run: Run, config: Path) -> None:
    assert run("check-config", "--config", config, "--lang", "en") == (0, f"{config}: good, 1 office(s)\n", "")
    assert "정상" in run("check-config", "--config", config, "--lang", "ko")[1]


def test_all_mistakes_of_a_configuration_are_told_at_once_with_the_nearest_name(run: Run, config: Path) -> None:
    config.write_text(
        'replca = "1"\n[broker]\nport = 0\n[store]\npath = "/x"\nurl = "sqlite://"\n'
        '[[office]]\nregion = "Seoul"\noffice = "hq"\nhang_s = -1\nnames = { "CAR 1" = "x" }\n'
    )

    code, out, err = run("check-config", "--config", config)

    assert (code, out) == (2, "")
    assert err.startswith("ptt-dispatch: 6 problems in the settings:")
    for said in ("did you mean 'replica'?", "broker.port", "path: and url are both given", "region", "hang_s", "CAR 1"):
        assert said in err


def test_an_office_configured_twice_is_refused(run: Run, config: Path) -> None:
    config.write_text(config.read_text() + '[[office]]\nregion = "seoul"\noffice = "hq"\n')

    code, _, err = run("serve", "--config", config)

    assert code == 2
    assert "seoul/hq stands here for the second time" in err


def test_secrets_are_hidden_unless_asked_for(run: Run, config: Path) -> None:
    hidden = run("show-config", "--config", config, "--redact")[1]
    by_default = run("show-config", "--config", config)[1]
    shown = run("show-config", "--config", config, "--no-redact")[1]

    assert hidden == by_default
    assert "hunter2" not in hidden
    assert "hunter2" in shown
    assert parse(shown, DispatchSettings, "shown") == load(config, DispatchSettings)


def test_the_password_comes_from_systemds_credentials(config: Path, tmp_path: Path) -> None:
    config.write_text(config.read_text().replace('password = "hunter2"\n', ""))
    secret = tmp_path / "mqtt-password"
    secret.write_text("swordfish\n")
    secret.chmod(0o400)
    settings = load(config, DispatchSettings)

    given = with_credentials(settings, str(tmp_path)).broker.password

    assert given is not None
    assert given.reveal() == "swordfish"
    assert with_credentials(settings, None) == settings
    assert with_credentials(settings, str(tmp_path / "nowhere")) == settings


def test_a_credential_that_anybody_may_read_is_refused(config: Path, tmp_path: Path) -> None:
    config.write_text(config.read_text().replace('password = "hunter2"\n', ""))
    secret = tmp_path / "mqtt-password"
    secret.write_text("swordfish")
    secret.chmod(0o644)

    with pytest.raises(SettingsError, match="open to every user"):
        with_credentials(load(config, DispatchSettings), str(tmp_path))


# --- serve ----------------------------------------------------------------------------------------------------------


def test_a_store_that_cannot_be_opened_ends_serve_with_how_to_mend_it(run: Run, config: Path, tmp_path: Path) -> None:
    (tmp_path / "office.db").write_text("no database at all" * 100)

    code, _, err = run("serve", "--config", config)

    assert code == 1
    assert "is no SQLite database -> check the path" in err
    assert "Traceback" not in err


# --- status ---------------------------------------------------------------------------------------------------------


def test_status_without_a_service_says_so_first_and_shows_what_the_store_last_held(run: Run, filled: Path) -> None:
    code, out, _ = run("status", "--config", filled, "--lang", "en")

    assert code == 1
    assert out.startswith("service: NOT RUNNING")
    assert "floor: 김기사" in out
    assert "(car-1), burst 7, normal" in out
    assert "members: 1 present of 2" in out
    assert "heartbeat_timeout" in out
    assert "events: 5, 5 not yet published" in out
    assert "\x1b" not in out


def test_status_speaks_korean(run: Run, filled: Path) -> None:
    out = run("status", "--config", filled, "--lang", "ko")[1]

    assert out.startswith("서비스: 실행되고 있지 않음")
    assert "구성원: 2명 중 1명 접속" in out


def test_status_is_json_when_asked_for(run: Run, filled: Path) -> None:
    code, out, _ = run("status", "--config", filled, "--json")

    told = json.loads(out)
    assert code == 1
    assert (told["well"], told["services"]) == (False, [])
    assert told["offices"][0]["floor"]["holder"] == "car-1"
    assert [m["user"] for m in told["offices"][0]["members"]] == ["car-1", "car-2"]


def test_status_before_the_first_start_names_what_is_missing(run: Run, config: Path) -> None:
    code, out, _ = run("status", "--config", config, "--lang", "en")

    assert code == 1
    assert "store: UNAVAILABLE: there is no store at" in out


def test_a_socket_left_behind_by_a_killed_service_is_no_service(run: Run, filled: Path, tmp_path: Path) -> None:
    (tmp_path / "office.db.1.sock").touch()

    assert run("status", "--config", filled, "--lang", "en")[1].startswith("service: NOT RUNNING")


# --- events ---------------------------------------------------------------------------------------------------------


def numbers(out: str) -> list[int]:
    return [json.loads(line)["no"] for line in out.splitlines()]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], [1, 2, 3, 4, 5]),
        (["--limit", "2"], [4, 5]),
        (["--limit", "0"], [1, 2, 3, 4, 5]),
        (["--since", "2"], [3, 4, 5]),
        (["--since", "2", "--limit", "1"], [3]),
        (["--since", "9"], []),
        (["--type", "user_left"], [2, 4]),
        (["--type", "USER_LEFT", "--type", "SESSION_STARTED"], [2, 4]),
        (["--office", "seoul/hq"], [1, 2, 3, 4, 5]),
    ],
)
def test_events_are_chosen_by_number_type_and_office(
    run: Run, filled: Path, options: list[str], expected: list[int]
) -> None:
    code, out, _ = run("events", "--config", filled, "--json", *options)

    assert code == 0
    assert numbers(out) == expected


def test_events_for_people_stand_on_one_line_each(run: Run, filled: Path) -> None:
    _, out, _ = run("events", "--config", filled, "--limit", "1")

    assert re.fullmatch(r" +5  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  USER_JOINED +car-1 \(=cmd.*\) +burst=5\n", out)


def test_events_as_csv_are_read_back_and_run_no_formula(run: Run, filled: Path) -> None:
    _, out, _ = run("events", "--config", filled, "--csv")

    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["no"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert {row["name"] for row in rows} == {'\'=cmd("x")'}
    assert json.loads(rows[0]["metadata"]) == {"burst": 1}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["=x()", "a;=x()", "b\t=x()", 'c"|=x()', "＝x()", "d,=x()", "e;;@x", "f|\t-1"])
def test_no_cell_of_csv_begins_a_formula_whatever_the_reader_parts_cells_at(name: str, delimiter: str) -> None:
    line = csv_line(["seoul/hq", name, 1.5, None])

    [cells] = csv.reader([line], delimiter=delimiter)
    assert not any(cell.startswith(("=", "＝", "@", "-")) for cell in cells)


def test_csv_changes_nothing_else() -> None:
    row = ["a; =b", "c=d", "e,f", 'g"h', "1-2;3", "{}"]
    [read] = csv.reader([csv_line([*row, 1.5, None, -2])])
    assert read == [*row, "1.5", "", "-2"]


def test_events_of_an_office_that_was_never_served_are_listed_too(run: Run, filled: Path, tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path}/office.db")
    log(store, BUSAN, 1_700_000_000_000, enrol_refused(None, "no such code", 3))
    store.close()

    code, out, _ = run("events", "--config", filled)

    told = [line.split() for line in out.splitlines() if line.startswith(str(BUSAN))]
    assert code == 0
    assert [(line[1], line[4]) for line in told] == [("1", "ENROL_REFUSED")]


def test_events_of_several_offices_are_told_apart(run: Run, filled: Path, tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path}/office.db")
    store.transact(BUSAN, fill, durable=True)
    store.close()

    _, out, _ = run("events", "--config", filled, "--limit", "2")
    refused = run("events", "--config", filled, "--since", "1")

    assert [line.split()[0] for line in out.splitlines()] == ["seoul/busan", "seoul/hq"]
    assert refused[0] == 2
    assert "add --office" in refused[2]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["events", "--office", "hq"], "write REGION/OFFICE"),
        (["events", "--office", "seoul/HQ"], "use 1 to 32 of a-z"),
        (["events", "--since", "-1"], "is no whole number from 0"),
        (["events", "--limit", "many"], "is no whole number from 0"),
        (["events", "--type", "PARTY"], "known: SESSION_STARTED"),
        (["events", "--json", "--csv"], "not allowed with"),
        (["serve", "--lang", "fr"], "invalid choice"),
        (["dance"], "invalid choice"),
        ([], "required"),
    ],
)
def test_a_wrong_argument_is_refused_with_what_is_right(run: Run, arguments: list[str], says: str) -> None:
    code, _, err = run(*arguments)

    assert code == 2
    assert says in err


def test_a_configuration_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    code, _, err = run("events", "--config", tmp_path / "none.toml")

    assert code == 2
    assert "none.toml: cannot be read (No such file or directory)" in err
