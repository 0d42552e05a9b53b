"""What keeps the dashboard from starting is told at once, each with its mend."""

from pathlib import Path

import pytest

from dispatch.settings import DispatchSettings, OfficeSettings, RestSettings, StoreSettings
from dispatch.web.server import WebApp
from service.mqtt import BrokerSettings
from service.settings import SettingsError

STORE = StoreSettings(url="sqlite://")
PEM = Path("/nowhere.pem")


def refusal(settings: DispatchSettings) -> str:
    with pytest.raises(SettingsError) as refused:
        WebApp(settings, environ={})
    return str(refused.value)


def test_everything_that_is_missing_is_told_together() -> None:
    office = (OfficeSettings(region="seoul", office="1"),)

    said = refusal(DispatchSettings(store=STORE, office=office, broker=BrokerSettings(username="web")))

    assert "rest: is missing" in said
    assert "the dashboard uses its certificate" in said
    assert 'set admission = "registry"' in said
    assert "broker.password: is missing" in said


def test_a_certificate_without_its_key_is_told() -> None:
    rest = RestSettings(url="https://office.example", certificate=PEM, ca=PEM)

    said = refusal(DispatchSettings(store=STORE, admission="registry", rest=rest))

    assert "rest.key: is missing" in said
    assert "admission" not in said
