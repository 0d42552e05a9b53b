"""What the office's service is told in its TOML file (systemd/dispatch.toml.example has every key)."""

from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct

from dispatch.alerting.settings import AlertSettings, HomeAssistantSettings, MetricsSettings
from dispatch.core.state import FloorRules, OfficeRules, rules_of
from dispatch.history.day import DEFAULT_ZONE, zone
from dispatch.minutes import USD_PER_1000_MIN
from dispatch.probing.settings import ProbeSettings
from protocol.ids import Id, OfficeId
from service.mqtt import BrokerSettings
from service.settings import Fault, Invalid, Secret

DEFAULT_PATH = Path("/etc/ptt/dispatch.toml")
Url = Annotated[str, Meta(min_length=8, max_length=512, pattern=r"^https?://[^\s/?#]+[^\s?#]*$(?!\n)", title="a URL")]
WssUrl = Annotated[
    str,
    Meta(min_length=7, max_length=512, pattern=r"^wss://[A-Za-z0-9.:\[\]-]+(/[^\s?#]*)?$(?!\n)", title="a wss:// URL"),
]
HostName = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^\S+$", title="a host name or address")]

PolicySource = Annotated[
    str,
    Meta(
        max_length=253,
        pattern=r"^(https|wss)://(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+(:([1-9][0-9]{0,4}|\*))?$(?!\n)",
        title="an https:// or wss:// source of a Content-Security-Policy",
    ),
]
AGORA_HOSTS = (
    "https://webrtc2-ap-web-1.agora.io",
    "https://webrtc2-2.ap.sd-rtn.com",
    "https://webrtc2-ap-web-3.agora.io",
    "https://webrtc2-4.ap.sd-rtn.com",
    "wss://*.edge.agora.io:*",
    "wss://*.edge.sd-rtn.com:*",
)
"""What the Web SDK needs to join: its access points and its gateways. Where it reports to is not among them."""


class StoreSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the office's memory lies: a SQLite file, or another database by its URL. Raises Invalid for both."""

    path: Annotated[Path | None, Meta(description="SQLite file on a local disk, made if it is not there")] = None
    url: Annotated[
        Annotated[str, Meta(min_length=1, max_length=4096)] | None,
        Meta(description="instead of path: a database, postgresql+psycopg://user@host/name"),
    ] = None
    events_keep_days: Annotated[
        int, Meta(ge=7, le=36_500, description="how long events stay in the log, days; unpublished ones stay longer")
    ] = 400

    def __post_init__(self) -> None:
        """Check that exactly one is given."""
        if (self.path is None) == (self.url is None):
            what = "and url are both missing" if self.path is None else "and url are both given"
            raise Invalid(Fault("path", what, 'give one: path = "/var/lib/ptt-dispatch/office.db"'))

    @property
    def sqlalchemy_url(self) -> str:
        """The URL the store is opened with."""
        return self.url if self.url is not None else f"sqlite:///{self.path}"


class OfficeSettings(FloorRules, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One office and its rules."""

    region: Id
    office: Id
    time_zone: Annotated[
        Annotated[str, Meta(min_length=1, max_length=64)] | None,
        Meta(description="its own time zone; default: the one outside of any table"),
    ] = None

    @property
    def id(self) -> OfficeId:
        """Its id."""
        return OfficeId(self.region, self.office)


class TraceSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Traces of presses, `ptt-dispatch trace`."""

    keep_days: Annotated[int, Meta(ge=1, le=36_500, description="how long a press is kept, days")] = 90


class ReportSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The report, `ptt-dispatch report`; when it is made every day stands in ptt-dispatch-report.timer."""

    dir: Annotated[
        Path | None, Meta(description="folder that reports are written to; default: `reports` beside the SQLite file")
    ] = None
    language: Annotated[Literal["ko", "en"], Meta(description="language of the reports made every day")] = "ko"
    usd_per_1000_min: Annotated[
        float, Meta(ge=0, le=1000, description="price of 1000 minutes joined to Agora, US$; see your contract")
    ] = USD_PER_1000_MIN


class RestSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The REST service, `ptt-dispatch rest`: enrolment and tokens, over TLS only."""

    url: Annotated[Url, Meta(description="how vehicles reach it, https://office.example.com:8443; stands in QR codes")]
    certificate: Annotated[Path, Meta(description="PEM file of the server's certificate")]
    ca: Annotated[Path, Meta(description="PEM file of the private authority that signed it")]
    key: Annotated[
        Path | None, Meta(description="PEM file of its key; default: the systemd credential or secret `tls-key`")
    ] = None
    host: Annotated[HostName, Meta(description="address it listens on; 0.0.0.0 or :: is every one")] = "0.0.0.0"
    port: Annotated[int, Meta(ge=1, le=65535, description="port it listens on")] = 8443
    broker_host: Annotated[
        HostName | None, Meta(description="the broker as vehicles reach it; default: the host of url")
    ] = None
    broker_port: Annotated[int, Meta(ge=1, le=65535, description="the broker's TLS port as vehicles reach it")] = 8883

    def __post_init__(self) -> None:
        """Check that the URL is one of TLS; raises Invalid."""
        if not self.url.startswith("https://"):
            raise Invalid(Fault("url", f"is {self.url!r}", "give the https:// address that vehicles reach it at"))


class WebSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The dashboard, `ptt-dispatch web`: pages over TLS with the certificate and key of [rest]."""

    host: Annotated[HostName, Meta(description="address it listens on; 0.0.0.0 or :: is every one")] = "0.0.0.0"
    port: Annotated[int, Meta(ge=1, le=65535, description="port it listens on")] = 8444
    websocket_port: Annotated[
        int, Meta(ge=0, le=65535, description="the broker's listener for call managers' consoles; 0: there is none")
    ] = 8884
    websocket_url: Annotated[
        WssUrl | None,
        Meta(description="where consoles reach it; default: websocket_port of the host that the page came from"),
    ] = None
    agora_sdk_dir: Annotated[
        Path | None,
        Meta(description="folder Agora's Web SDK is staged in; default: `agora-web` beside the SQLite file"),
    ] = None
    agora_hosts: Annotated[
        tuple[PolicySource, ...],
        Meta(
            min_length=1,
            max_length=40,
            description="hosts of Agora's that the console's page may connect to, where the office's voice is Agora",
        ),
    ] = AGORA_HOSTS


class KickingSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Agora's REST interface for kicking rules: a revoked user is put out of its channel at once."""

    customer_key: Annotated[str, Meta(min_length=1, max_length=128, description="of the console's RESTful API page")]
    customer_secret: Annotated[
        Secret | None, Meta(description="better in the systemd credential or secret `agora-customer-secret`")
    ] = None
    base_url: Annotated[Url, Meta(description="where Agora's REST interface is")] = "https://api.agora.io"


class AgoraServerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Agora project that tokens are made for; without it tokens are refused, and voice goes over MQTT."""

    app_id: Annotated[
        str, Meta(pattern=r"^[0-9a-fA-F]{32}$(?!\n)", title="32 hexadecimal digits", description="of Agora's console")
    ]
    certificate: Annotated[
        Secret | None,
        Meta(description="the app certificate; better in the systemd credential or secret `agora-certificate`"),
    ] = None
    token_ttl_s: Annotated[int, Meta(ge=60, le=86_400, description="how long a token opens the channel, s")] = 3600
    kicking: KickingSettings | None = None


class DispatchSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything of `dispatch.toml`. Raises Invalid where its parts contradict each other."""

    store: StoreSettings
    office: Annotated[tuple[OfficeSettings, ...], Meta(max_length=200)] = ()
    broker: BrokerSettings = BrokerSettings()
    rest: RestSettings | None = None
    web: WebSettings = WebSettings()
    agora: AgoraServerSettings | None = None
    report: ReportSettings = ReportSettings()
    traces: TraceSettings = TraceSettings()
    alerts: AlertSettings = AlertSettings()
    metrics: MetricsSettings = MetricsSettings()
    home_assistant: HomeAssistantSettings = HomeAssistantSettings()
    probe: ProbeSettings = ProbeSettings()
    admission: Annotated[
        Literal["open", "registry"],
        Meta(
            description="registry: only users of the registry are members, with its names and priorities; "
            "open: whoever the broker lets in, for a private network without logins"
        ),
    ] = "open"
    time_zone: Annotated[
        Annotated[str, Meta(min_length=1, max_length=64)],
        Meta(description="IANA name of the time zone in which days begin and times are shown"),
    ] = DEFAULT_ZONE
    replica: Annotated[Id, Meta(description="name of this process among those that serve the same offices")] = "1"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="least level that is logged")
    ] = "info"
    status_folder: Annotated[
        Path | None,
        Meta(description="where `ptt-dispatch status` finds the running service; default: the SQLite file's folder"),
    ] = None

    secrets: Annotated[
        Path | None,
        Meta(
            description="folder of secret files ptt.mqtt-password, ptt.tls-key, ptt.probe-password, "
            "ptt.agora-certificate, ptt.agora-customer-secret, for where systemd hands over no credential of that name"
        ),
    ] = None

    broker_dir: Annotated[
        Path | None,
        Meta(description="mosquitto's own folder, which `broker-config` and `cert renew` write; made by `init`"),
    ] = None

    def __post_init__(self) -> None:
        """Check the rules that join fields."""
        ids = [office.id for office in self.office]
        faults = [
            Fault(f"office[{place}]", f"{office} stands here for the second time", "keep one of them")
            for place, office in enumerate(ids)
            if office in ids[:place]
        ]
        if self.admission == "open" and not self.office:
            faults.append(Fault("office", "is missing", 'add [[office]], or set admission = "registry"'))
        if self.admission == "registry":
            mend = "take it out; `ptt-dispatch user` changes it in the registry"
            faults += [
                Fault(f"office[{place}].{key}", 'is the registry\'s with admission = "registry"', mend)
                for place, office in enumerate(self.office)
                for key in ("names", "priorities", "listen_only")
                if getattr(office, key)
            ]
        zones = [("time_zone", self.time_zone)]
        zones += [(f"office[{place}].time_zone", o.time_zone) for place, o in enumerate(self.office) if o.time_zone]
        for key, name in zones:
            try:
                zone(name)
            except ValueError:
                faults.append(Fault(key, f"is {name!r}, which is no time zone", "give an IANA name such as Asia/Seoul"))
        if faults:
            raise Invalid(*faults)

    def zone_of(self, office: OfficeId) -> ZoneInfo:
        """The time zone in which an office's days begin."""
        own = next((each.time_zone for each in self.office if each.id == office), None)
        return zone(own or self.time_zone)

    def floor_of(self, office: OfficeId) -> FloorRules:
        """The rules of an office's floor, configured or the defaults."""
        return next((each for each in self.office if each.id == office), FloorRules())

    @property
    def report_dir(self) -> Path:
        """Folder that reports are written to."""
        if self.report.dir is not None:
            return self.report.dir
        return (self.store.path.parent if self.store.path is not None else Path("/var/lib/ptt-dispatch")) / "reports"

    @property
    def agora_web_dir(self) -> Path:
        """Folder that Agora's Web SDK is staged in."""
        if self.web.agora_sdk_dir is not None:
            return self.web.agora_sdk_dir
        return (self.store.path.parent if self.store.path is not None else Path("/var/lib/ptt-dispatch")) / "agora-web"

    @property
    def offices(self) -> dict[OfficeId, OfficeRules]:
        """The rules by office."""
        return {office.id: rules_of(office) for office in self.office}

    @property
    def status_socket_stem(self) -> Path:
        """Path that each replica's status socket begins with; `.<replica>.sock` follows."""
        if self.store.path is not None:
            return (self.status_folder or self.store.path.parent) / self.store.path.name
        return (self.status_folder or Path("/run/ptt-dispatch")) / "ptt-dispatch"
