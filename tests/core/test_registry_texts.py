"""Sentences and settings of the registry's commands."""

import string
from pathlib import Path

import pytest

from dispatch.credentials import with_credentials
from dispatch.registry import texts
from dispatch.settings import DispatchSettings
from protocol.rest import Role
from service.settings import Secret, SettingsError, parse

OFFICE = '[[office]]\nregion = "seoul"\noffice = "hq"\n'
STORE = '[store]\npath = "x.db"\n'
REST = '[rest]\nurl = "https://office:8443"\ncertificate = "c"\nca = "a"\n'
AGORA = '[agora]\napp_id = "0123456789abcdef0123456789ABCDEF"\n[agora.kicking]\ncustomer_key = "k"\n'
BROKER = '[broker]\nusername = "ptt-dispatch"\n'


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("key", texts._TEXT)
def test_a_sentence_says_the_same_in_both_languages(key: str) -> None:
    english, korean = texts._TEXT[key]

    assert fields(english) == fields(korean)
    assert english.isascii()


@pytest.mark.parametrize("role", Role)
def test_every_role_has_a_name_people_know(role: Role) -> None:
    assert not texts.role_name(role, "ko").isascii()
    assert "_" not in texts.role_name(role, "en")


def settings(text: str) -> DispatchSettings:
    return parse(text, DispatchSettings, "test")


def faults(text: str) -> str:
    with pytest.raises(SettingsError) as refused:
        settings(text)
    return str(refused.value)


def test_an_open_office_needs_its_offices_and_a_registry_does_not() -> None:
    assert 'office: is missing -> add [[office]], or set admission = "registry"' in faults(STORE)
    assert settings(f'admission = "registry"\n{STORE}').office == ()
    assert settings(STORE + OFFICE).admission == "open"


def test_what_the_registry_says_may_not_stand_in_the_file_too() -> None:
    twice = OFFICE + 'listen_only = ["car-1"]\n[office.names]\ncar-1 = "x"\n'

    said = faults(f'admission = "registry"\n{STORE}{twice}')

    assert 'office[0].names: is the registry\'s with admission = "registry" -> take it out' in said
    assert "office[0].listen_only" in said
    assert settings(STORE + twice).office[0].names == {"car-1": "x"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (REST.replace("https", "http"), "give the https:// address"),
        (REST.replace("https://office:8443", "office:8443"), "rest.url"),
        (REST + "port = 0\n", "at least 1"),
        (AGORA.replace("0123", "012"), "32 hexadecimal digits"),
        (AGORA.replace("[agora.k", "token_ttl_s = 86401\n[agora.k"), "at most 86400"),
    ],
)
def test_what_a_service_could_not_work_with_is_told_at_once(text: str, says: str) -> None:
    assert says in faults(STORE + OFFICE + text)


def keep(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"{text}\n")
    path.chmod(0o600)


def test_secrets_come_from_systemd_first_and_then_from_their_folder(tmp_path: Path) -> None:
    handed, kept = tmp_path / "handed", tmp_path / "kept"
    keep(handed, "mqtt-password", "from systemd")
    keep(handed, "tls-key", "a key")
    for name in ("mqtt-password", "tls-key", "agora-certificate", "agora-customer-secret"):
        keep(kept, f"ptt.{name}", f"kept {name}")
    plain = settings(f'secrets = "{kept}"\n' + STORE + OFFICE + REST + AGORA + BROKER)

    both, own = with_credentials(plain, str(handed)), with_credentials(plain, None)

    assert both.broker.password == Secret("from systemd")
    assert own.broker.password == Secret("kept mqtt-password")
    assert both.rest is not None and both.rest.key == handed / "tls-key"
    assert own.rest is not None and own.rest.key == kept / "ptt.tls-key"
    assert both.agora is not None and both.agora.certificate == Secret("kept agora-certificate")
    assert both.agora.kicking is not None
    assert both.agora.kicking.customer_secret == Secret("kept agora-customer-secret")


def test_what_is_configured_is_not_looked_for_and_what_is_nowhere_stays_unset(tmp_path: Path) -> None:
    plain = settings(STORE + OFFICE + REST + AGORA + BROKER)
    given = settings(STORE + OFFICE + REST + 'key = "mine"\n' + BROKER + 'password = "pw"\n')

    assert with_credentials(plain, str(tmp_path)) == plain
    keep(tmp_path, "mqtt-password", "other")
    keep(tmp_path, "tls-key", "other")
    assert with_credentials(given, str(tmp_path)) == given


def test_a_secret_that_everybody_may_read_is_refused(tmp_path: Path) -> None:
    keep(tmp_path, "ptt.agora-certificate", "x")
    (tmp_path / "ptt.agora-certificate").chmod(0o644)

    with pytest.raises(SettingsError, match="open to every user of this machine"):
        with_credentials(settings(f'secrets = "{tmp_path}"\n' + STORE + OFFICE + AGORA), None)
