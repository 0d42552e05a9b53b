"""What alerts, webhooks and metrics are told in dispatch.toml."""

from typing import Annotated

from msgspec import Meta, Struct

from dispatch.core.office_alerts import AlertRules
from protocol.ids import Id
from protocol.messages import Severity
from service.settings import Fault, Invalid, Secret

WebhookUrl = Annotated[str, Meta(min_length=8, max_length=512, pattern=r"^https?://[^\s/?#]+\S*$(?!\n)", title="a URL")]


class WebhookSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who is told of the offices' alerts by HTTP POST."""

    name: Annotated[Id, Meta(description="what it is called in logs and metrics")]
    url: Annotated[WebhookUrl, Meta(description="where alerts are posted to, as JSON")]
    secret: Annotated[
        Secret | None, Meta(description="messages are signed with it; better in the secret `webhook-<name>`")
    ] = None
    severity: Annotated[Severity, Meta(description="the least that is told: warning or critical")] = Severity.WARNING


class AlertSettings(AlertRules, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When something is told, and to whom besides the broker."""

    webhook: Annotated[tuple[WebhookSettings, ...], Meta(max_length=10)] = ()

    def __post_init__(self) -> None:
        """Check the rules that join fields."""
        names = [hook.name for hook in self.webhook]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise Invalid(Fault("webhook", f"{', '.join(twice)} stands here twice", "give each a name of its own"))


class HomeAssistantSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Vehicles told to Home Assistant by its MQTT discovery, by `ptt-dispatch alerts`; with admission = "registry"."""

    enabled: Annotated[bool, Meta(description="whether they are told; false takes back what was told before")] = False


class MetricsSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`/metrics` for Prometheus, over plain HTTP without a login: on this machine alone, where nothing else is said."""

    host: Annotated[str, Meta(min_length=1, max_length=255, description="address it listens on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="port it listens on; 0: nowhere")] = 9464
