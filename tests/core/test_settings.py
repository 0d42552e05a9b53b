"""Settings: every mistake told at once, secrets hidden, and text that reads back as it was written."""

from __future__ import annotations

import copy
import enum
import os
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from service.settings import Fault, Invalid, Secret, SettingsError, dump, load, parse, read_secret, redacted


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Wav(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="wav", tag_field="kind"):
    folder: Path


class Card(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="card", tag_field="kind"):
    device: str
    frames: Annotated[int, Meta(ge=80, le=960)] = 160


class Floor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    lease_s: Annotated[float, Meta(ge=1, le=30, description="Seconds a grant lasts without renewal.")] = 3.0
    talk_s: Annotated[int, Meta(ge=5, le=600)] = 30
    warn_s: int = 5

    def __post_init__(self) -> None:
        faults = [Fault("warn_s", "must be below talk_s", "lower it")] if self.warn_s >= self.talk_s else []
        faults += [Fault("warn_s", "must not be negative")] if self.warn_s < 0 else []
        if faults:
            raise Invalid(*faults)


class Car(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(pattern="^[a-z0-9-]+$", max_length=8)]
    seats: tuple[int, ...] = ()
    colour: Colour = Colour.RED


class Whole(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    broker: str
    password: Secret | None = None
    port: Annotated[int, Meta(ge=1, le=65535, description="TCP port of the broker.")] = 1883
    tls: bool = False
    level: Literal["info", "debug"] = "info"
    floor: Floor = Floor()
    sound: Wav | Card = Card(device="default")
    cars: list[Car] = []
    aliases: dict[str, Car] = {}
    labels: dict[str, str] = {}
    mixed: int | str = 0


def problems_of(text: str) -> list[tuple[str, int | None, str]]:
    """What `parse` complains about, as (key, line, problem and mend in one text)."""
    with pytest.raises(SettingsError) as caught:
        parse(text, Whole, "car.toml")
    return [(p.key, p.line, f"{p.what} -> {p.mend}") for p in caught.value.problems]


def test_a_right_file_becomes_the_struct_with_its_defaults() -> None:
    text = (
        'broker = "office"\npassword = "pw"\n'
        '[sound]\nkind = "wav"\nfolder = "/tmp/x"\n'
        '[[cars]]\nname = "car-1"\nseats = [1, 2]\n'
    )

    whole = parse(text, Whole, "car.toml")

    assert whole.password == Secret("pw")
    assert whole.sound == Wav(folder=Path("/tmp/x"))
    assert whole.cars == [Car(name="car-1", seats=(1, 2))]
    assert whole.floor.lease_s == 3.0


def test_all_problems_of_a_file_are_told_at_once_each_with_its_line() -> None:
    text = (
        "prot = 1883\n"
        "port = 0\n"
        'tls = "yes"\n'
        'level = "loud"\n'
        "[floor]\n"
        "leese_s = 2\n"
        "talk_s = true\n"
        "[[cars]]\n"
        'name = "car-1"\n'
        "[[cars]]\n"
        'name = "Car 2"\n'
        'seats = [1, "two"]\n'
        'colour = "blue"\n'
        "[aliases.a]\n"
    )

    told = problems_of(text)

    assert {(key, line) for key, line, _ in told} == {
        ("broker", None),
        ("prot", 1),
        ("port", 2),
        ("tls", 3),
        ("level", 4),
        ("floor.leese_s", 6),
        ("floor.talk_s", 7),
        ("cars[1].name", 11),
        ("cars[1].seats[1]", 12),
        ("cars[1].colour", 13),
        ("aliases.a.name", 14),
    }


class House(msgspec.Struct):
    whole: Whole


def test_a_missing_table_is_asked_for_as_one_writes_it() -> None:
    with pytest.raises(SettingsError) as caught:
        parse("", House, "house.toml")

    assert "whole: is missing -> add the table [whole]" in str(caught.value)


def test_the_text_of_the_error_has_every_problem_its_place_and_its_mend() -> None:
    with pytest.raises(SettingsError) as caught:
        parse('broker = "x"\nport = 70000\n[floor]\nleese_s = 2\n', Whole, "car.toml")

    text = str(caught.value)

    assert text.startswith("2 problems in the settings:")
    assert "car.toml:2: port: is 70000 -> use a whole number, at least 1, at most 65535" in text
    assert "car.toml:4: floor.leese_s: unknown key -> did you mean 'lease_s'?" in text


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ("zzz = 1", "zzz", "known here: aliases, broker"),
        ("port = 1.5", "port", "is 1.5 -> use a whole number"),
        ("port = true", "port", "is true"),
        ("port = 99999999999999999999999", "port", "is a whole number"),
        ("tls = 1", "tls", "true or false"),
        ('level = "loud"', "level", 'use "debug" or "info"'),
        ("floor = 3", "floor", "use a table"),
        ("[floor]\nlease_s = nan", "floor.lease_s", "use a number"),
        ("[floor]\nlease_s = inf", "floor.lease_s", "use a number"),
        ("[floor]\nwarn_s = 30", "floor.warn_s", "must be below talk_s -> lower it"),
        ("[sound]\nfolder = '/x'", "sound.kind", 'add kind = "wav" or "card"'),
        ("[sound]\nkind = 'wax'", "sound.kind", 'is "wax"'),
        ("[sound]\nkind = 'card'\ndevice = 'x'\nframes = 1", "sound.frames", "at least 80"),
        ("cars = 3", "cars", "an array"),
        ("[[cars]]\nname = 'much-too-long'", "cars[0].name", "has 13 characters -> use at most 8"),
        ("labels = { a = 1 }", "labels.a", "use text"),
        ("mixed = 1.5", "mixed", "a whole number or text"),
        ("mixed = 1979-05-27", "mixed", "is a date or time"),
    ],
)
def test_each_kind_of_mistake_says_where_and_how_to_mend_it(text: str, key: str, said: str) -> None:
    told = problems_of(f'broker = "x"\n{text}\n')

    assert [key for key, _, _ in told] == [key]
    assert said in told[0][2]


def test_text_that_is_not_toml_is_told_with_its_line() -> None:
    assert [(line, "not TOML" in said) for _, line, said in problems_of('broker = "x"\nport = \n')] == [(2, True)]


def test_keys_inside_long_strings_do_not_mislead_the_line_numbers() -> None:
    told = problems_of('broker = """\nport = 5\n"""\nport = 0\n')

    assert [(key, line) for key, line, _ in told] == [("port", 4)]


def test_a_secret_of_the_wrong_type_is_not_repeated_in_the_message() -> None:
    told = problems_of('broker = "x"\npassword = 987654\n')

    assert [key for key, _, _ in told] == ["password"]
    assert "987654" not in told[0][2]


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"\xff\xfe", "not UTF-8"), (b"#" * ((1 << 20) + 1), "bytes"), (b"port =", "not TOML")],
)
def test_a_file_that_cannot_be_used_is_an_error_naming_it(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "car.toml"
    path.write_bytes(content)

    with pytest.raises(SettingsError) as caught:
        load(path, Whole)

    assert str(path) in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["absent.toml", "."])
def test_a_path_that_is_no_file_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path / name, Whole)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "car.toml"
    path.write_bytes(b'\xef\xbb\xbfbroker = "x"\n')

    assert load(path, Whole).broker == "x"


def test_a_secret_shows_itself_only_when_it_is_asked_to() -> None:
    secret = Secret("hunter2")

    assert [repr(secret), str(secret), f"{secret:>9}", repr([secret])] == ["Secret(***)", "***", "***", "[Secret(***)]"]
    assert secret.reveal() == "hunter2"
    assert copy.deepcopy(secret) == secret
    assert secret != Secret("hunter3")
    assert secret != "hunter2"


def test_a_secret_file_of_the_owner_alone_is_read_without_its_line_end(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("hunter2\n")
    path.chmod(0o640)

    assert read_secret(path).reveal() == "hunter2"


@pytest.mark.parametrize(
    ("mode", "content", "said"), [(0o644, b"x", "every user"), (0o600, b"\n", "empty"), (0o600, b"\xff", "UTF-8")]
)
def test_a_secret_file_that_is_open_or_empty_or_no_text_is_refused(
    tmp_path: Path, mode: int, content: bytes, said: str
) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(mode)

    with pytest.raises(SettingsError, match=said):
        read_secret(path)


def test_a_pipe_in_place_of_a_secret_file_is_refused_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "secret", 0o600)

    with pytest.raises(SettingsError, match="not a regular file"):
        read_secret(tmp_path / "secret")


def test_redacted_settings_hold_no_secret_and_no_password_of_a_url() -> None:
    whole = Whole(broker="postgresql://ptt:hunter2@db/x", password=Secret("hunter3"))

    shown = redacted(whole)

    assert shown["password"] == "***"
    assert shown["broker"] == "postgresql://ptt:***@db/x"
    assert "hunter" not in repr(shown) + dump(whole)


def test_a_dump_has_each_field_under_its_description_and_bounds() -> None:
    text = dump(Whole(broker="x"))

    assert "# TCP port of the broker: a whole number, at least 1, at most 65535.\nport = 1883" in text
    assert "# password is not set" in text
    assert "[floor]\n# Seconds a grant lasts without renewal: a number, at least 1, at most 30.\nlease_s = 3.0" in text


names = st.text(st.sampled_from("abcxyz019-"), min_size=1, max_size=8)
cars = st.builds(Car, name=names, seats=st.lists(st.integers(-9, 9)).map(tuple), colour=st.sampled_from(Colour))
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
wholes = st.builds(
    Whole,
    broker=words,
    password=st.none() | words.filter(bool).map(Secret),
    port=st.integers(1, 65535),
    tls=st.booleans(),
    level=st.sampled_from(["info", "debug"]),
    floor=st.builds(Floor, lease_s=st.floats(1, 30), talk_s=st.integers(10, 60), warn_s=st.integers(0, 9)),
    sound=st.builds(Card, device=words, frames=st.integers(80, 960)) | names.map(lambda name: Wav(folder=Path(name))),
    cars=st.lists(cars, max_size=3),
    aliases=st.dictionaries(words, cars, max_size=3),
    labels=st.dictionaries(words, words, max_size=3),
    mixed=st.integers(-9, 9) | words,
)


@given(wholes)
def test_a_full_dump_reads_back_as_the_same_settings(whole: Whole) -> None:
    assert parse(dump(whole, redact=False), Whole, "dump") == whole
