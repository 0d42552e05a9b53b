"""Bodies of the REST interface v1, shared by the office and the vehicle. JSON; durations travel, never deadlines.

Who asks is told by HTTP Basic with the login of `protocol.login` (never the `.voice` one) and the user's secret, over
TLS only. Errors are `application/problem+json` (RFC 9457), see `Problem`.
"""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from protocol.ids import Burst, Count, Id, Name
from protocol.messages import AgoraUid, ChannelName, Hardware, Priority, Text, VoicePath

CA_PATH = "/v1/ca"
ENROL_PATH = "/v1/enrol"
HELLO_PATH = "/v1/hello"
TOKEN_PATH = "/v1/token"
BURSTS_PATH = "/v1/bursts"
BURST_PATH = "/v1/bursts/{burst}"
HEALTH_PATH = "/healthz"

LISTED_MAX = 100
"""Bursts that one answer lists: the newest so many of those asked for."""
REPLAY_KEEP_S_MAX = 86_400
REPLAY_COUNT_MAX = 1000
REPLAY_COUNT = 50


class Role(StrEnum):
    """What a user is, and so what every door lets it do."""

    VEHICLE_GATEWAY = "vehicle_gateway"
    CALL_MANAGER = "call_manager"
    PICKUP_DRIVER = "pickup_driver"
    MONITOR = "monitor"
    TECHNICIAN = "technician"
    ADMIN = "admin"
    BRIDGE = "bridge"

    @property
    def member(self) -> bool:
        """Whether it is a member of its office's floor."""
        return self in (Role.VEHICLE_GATEWAY, Role.CALL_MANAGER, Role.PICKUP_DRIVER)


class EnrolRequest(Struct, frozen=True, kw_only=True):
    """`POST /v1/enrol`, without a login: the code's secret part stands for one."""

    code: Annotated[str, Meta(min_length=16, max_length=16, pattern=r"^[0-9A-HJKMNP-TV-Z]{16}$(?!\n)")]
    hardware: Hardware
    version: Text = ""
    model: Text = ""

    def __repr__(self) -> str:
        """Show everything but the code."""
        return f"EnrolRequest(hardware={self.hardware!r}, code=***)"


class BrokerAccess(Struct, frozen=True, kw_only=True):
    """How the office's broker is reached; TLS always."""

    host: Annotated[str, Meta(min_length=1, max_length=255)]
    port: Annotated[int, Meta(ge=1, le=65535)]


class Enrolment(Struct, frozen=True, kw_only=True):
    """Answers EnrolRequest (201): everything a unit needs to be what it is. `repr` hides the secret."""

    region: Id
    office: Id
    user: Id
    role: Role
    name: Name
    generation: Annotated[
        Count, Meta(description="rises with every enrolment of this user; only the newest is admitted")
    ]
    hardware: Hardware
    secret: Annotated[str, Meta(min_length=16, max_length=256, description="for broker and REST, shown this once")]
    broker: BrokerAccess
    rest_url: Annotated[str, Meta(min_length=1, max_length=512)]
    voice: Annotated[VoicePath, Meta(description="what the office's voice goes over")]
    ca_pem: Annotated[str, Meta(min_length=1, max_length=65536)]

    def __repr__(self) -> str:
        """Show everything but the secret."""
        return f"Enrolment({self.region}/{self.office}/{self.user}, generation={self.generation}, secret=***)"


class Hello(Struct, frozen=True, kw_only=True):
    """`POST /v1/hello`: a unit says at each start who it is; 409 tells it that it is a clone or was replaced."""

    generation: Count
    hardware: Hardware
    version: Text = ""


class Welcome(Struct, frozen=True, kw_only=True):
    """Answers Hello (200) with what the registry says of this user now."""

    name: Name
    role: Role
    voice: VoicePath
    generation: Count
    replay_keep_s: Annotated[
        int,
        Meta(
            ge=0,
            le=REPLAY_KEEP_S_MAX,
            description="for how long the office keeps what is said for those who missed it, s; 0: it keeps nothing, "
            "and nothing is to be uploaded",
        ),
    ] = 0


class KeptBurst(Struct, frozen=True, kw_only=True):
    """One burst that the office keeps."""

    burst: Burst
    user: Id
    name: Name
    ago_s: Annotated[float, Meta(ge=0, description="how long ago it ended, s")]
    seconds: Annotated[float, Meta(ge=0, description="how long it is, s")]


class KeptBursts(Struct, frozen=True, kw_only=True):
    """Answers `GET /v1/bursts` (200): what of the caller's office is kept, oldest first."""

    bursts: Annotated[tuple[KeptBurst, ...], Meta(max_length=LISTED_MAX)]


class BurstTaken(Struct, frozen=True, kw_only=True):
    """Answers `POST /v1/bursts/<burst>`: 201 where it is kept now, 200 where it was already, unchanged."""

    burst: Burst
    seconds: Annotated[float, Meta(ge=0)]


class TokenRequest(Struct, frozen=True, kw_only=True):
    """`POST /v1/token`; an empty object asks for one's own office's channel."""

    channel: Annotated[ChannelName | None, Meta(description="must be the caller's own office's; null means that")] = (
        None
    )
    hardware: Annotated[
        Hardware | None, Meta(description="an enrolled unit's own, which it must name; another is refused")
    ] = None


class TokenGrant(Struct, frozen=True, kw_only=True):
    """Answers TokenRequest (200): an Agora token for the caller's own uid. `repr` hides it."""

    app_id: Annotated[str, Meta(min_length=1, max_length=64)]
    channel: ChannelName
    uid: AgoraUid
    token: Annotated[str, Meta(min_length=1, max_length=2048)]
    publisher: Annotated[bool, Meta(description="false: it may only listen, whoever has the floor")]
    expires_in_s: Annotated[int, Meta(ge=1, le=86_400)]
    priority: Annotated[Priority, Meta(description="the highest floor priority this user may ask for")] = (
        Priority.NORMAL
    )

    def __repr__(self) -> str:
        """Show everything but the token."""
        return f"TokenGrant(channel={self.channel!r}, uid={self.uid}, publisher={self.publisher}, token=***)"


class Problem(Struct, frozen=True, kw_only=True):
    """An error body. `type` is `urn:ptt:problem:<code>`; `detail` says what is wrong, `mend` how to mend it."""

    type: str
    title: str
    status: int
    detail: str = ""
    mend: str = ""
    instance: str | None = None

    @property
    def code(self) -> str:
        """The last part of `type`: unauthorised, revoked, other_office, clone, replaced, used_code, ..."""
        return self.type.rpartition(":")[2]
