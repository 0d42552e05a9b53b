"""The words of mosquitto's dynamic-security plugin (2.0): its file, its commands and its answers. Pure.

`Secret`s are revealed only in the bytes that `encode` gives, which go to the broker and nowhere else.
"""

from enum import StrEnum
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from service.settings import Secret


class AclType(StrEnum):
    """What an entry rules. Subscribing is checked against patterns, each message received is checked again."""

    PUBLISH = "publishClientSend"
    RECEIVE = "publishClientReceive"
    SUBSCRIBE = "subscribePattern"


class AclEntry(Struct, frozen=True, kw_only=True, order=True):
    """One rule of a role; the first that matches decides, higher `priority` first."""

    acltype: AclType
    topic: str
    priority: int = 0
    allow: bool = True


class RoleRef(Struct, frozen=True, kw_only=True):
    """A role of a client."""

    rolename: str


class RoleWords(Struct, frozen=True, kw_only=True):
    """A role as the plugin's file and `listRoles` have it."""

    rolename: str
    acls: tuple[AclEntry, ...] = ()


class ClientWords(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A client as the plugin's file and `listClients` have it; the latter without the last three."""

    username: str
    clientid: str | None = None
    textname: str | None = None
    """Ours to use: which of a user's secrets it has (`dispatch.broker.accounts.secret_mark`)."""
    disabled: bool = False
    roles: tuple[RoleRef, ...] = ()
    password: str | None = None
    """PBKDF2-HMAC-SHA512, 64 bytes in base64."""
    salt: str | None = None
    """12 bytes in base64."""
    iterations: int | None = None


class DefaultAccess(Struct, frozen=True, kw_only=True, rename="camel"):
    """What holds where no rule matches."""

    publish_client_send: bool = False
    publish_client_receive: bool = False
    subscribe: bool = False
    unsubscribe: bool = True


class DynsecFile(Struct, frozen=True, kw_only=True):
    """The whole of `dynamic-security.json`."""

    clients: tuple[ClientWords, ...]
    roles: tuple[RoleWords, ...]
    default_access: DefaultAccess = field(default=DefaultAccess(), name="defaultACLAccess")
    groups: tuple[str, ...] = ()


class _Command(Struct, frozen=True, kw_only=True, tag_field="command", tag=lambda name: name[0].lower() + name[1:]):
    """A command; `mark` comes back with its answer."""

    mark: str | UnsetType = field(default=UNSET, name="correlationData")


class CreateRole(_Command, frozen=True, kw_only=True):
    """Make a role; answered by an error where it exists."""

    rolename: str
    acls: tuple[AclEntry, ...]


class ModifyRole(_Command, frozen=True, kw_only=True):
    """Set a role's rules. Connections stay; what is published and received is judged by the new rules at once."""

    rolename: str
    acls: tuple[AclEntry, ...]


class DeleteRole(_Command, frozen=True, kw_only=True):
    """Take a role away."""

    rolename: str


class CreateClient(_Command, frozen=True, kw_only=True):
    """Make a client; answered by an error where it exists."""

    username: str
    password: Secret
    clientid: str
    textname: str
    roles: tuple[RoleRef, ...]


class ModifyClient(_Command, frozen=True, kw_only=True):
    """Set what is given; cuts the client's connection, without its last will."""

    username: str
    clientid: str
    roles: tuple[RoleRef, ...]
    password: Secret | UnsetType = UNSET
    textname: str | UnsetType = UNSET


class EnableClient(_Command, frozen=True, kw_only=True):
    """Let a client in again."""

    username: str


class DisableClient(_Command, frozen=True, kw_only=True):
    """Let a client in no more; cuts its connection, without its last will."""

    username: str


class DeleteClient(_Command, frozen=True, kw_only=True):
    """Forget a client; cuts its connection, and what it left retained is not given out any more."""

    username: str


class GetClient(_Command, frozen=True, kw_only=True):
    """Ask for one client."""

    username: str


class GetRole(_Command, frozen=True, kw_only=True):
    """Ask for one role."""

    rolename: str


class ListClients(_Command, frozen=True, kw_only=True):
    """Ask for clients, `count` from `offset` on."""

    count: int
    offset: int
    verbose: bool = True


class ListRoles(_Command, frozen=True, kw_only=True):
    """Ask for roles with their rules, `count` from `offset` on."""

    count: int
    offset: int
    verbose: bool = True


Command = (
    CreateRole
    | ModifyRole
    | DeleteRole
    | CreateClient
    | ModifyClient
    | EnableClient
    | DisableClient
    | DeleteClient
    | GetClient
    | GetRole
    | ListClients
    | ListRoles
)


class Data(Struct, frozen=True, kw_only=True, rename="camel"):
    """What an answer carries, by its command."""

    total_count: int = 0
    clients: tuple[ClientWords, ...] = ()
    roles: tuple[RoleWords, ...] = ()
    client: ClientWords | None = None
    role: RoleWords | None = None


class Answer(Struct, frozen=True, kw_only=True):
    """The answer to one command; everybody who may read answers sees those to all others too."""

    command: str = ""
    error: str | None = None
    mark: str = field(default="", name="correlationData")
    data: Data = Data()

    @property
    def already(self) -> bool:
        """Whether it was refused only because it exists."""
        return self.error is not None and self.error.endswith("already exists")

    @property
    def absent(self) -> bool:
        """Whether it was refused only because there is no such client or role."""
        return self.error in ("Client not found", "Role not found", "Role does not exist")


class _Commands(Struct, frozen=True):
    commands: tuple[Command, ...]


class _Answers(Struct, frozen=True):
    responses: tuple[Answer, ...]


_encoder = msgspec.json.Encoder(enc_hook=lambda value: _reveal(value))
_answers = msgspec.json.Decoder(_Answers)


class NotAnAnswer(ValueError):
    """Bytes that are no answer of the plugin."""


def encode(*commands: Command) -> bytes:
    """Give one message with these commands, carried out in order. It holds passwords in the clear."""
    return _encoder.encode(_Commands(commands))


def encode_file(file: DynsecFile) -> bytes:
    """Give the file's bytes."""
    return msgspec.json.format(msgspec.json.encode(file), indent=1)


def decode_file(data: bytes) -> DynsecFile:
    """Read the plugin's file; raises NotAnAnswer."""
    try:
        return msgspec.json.decode(data, type=DynsecFile)
    except msgspec.DecodeError as error:
        raise NotAnAnswer(str(error)) from error


def decode(payload: bytes) -> tuple[Answer, ...]:
    """Read the answers in one message; raises NotAnAnswer."""
    try:
        return _answers.decode(payload).responses
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotAnAnswer(str(error)) from error


def _reveal(value: Any) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise NotImplementedError(f"{type(value).__name__} has no form in JSON")
