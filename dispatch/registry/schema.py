"""Tables of the registry; they stand beside the store's in one database, with a version and a `rev` of their own."""

import sqlalchemy as sa

REGISTRY_VERSION = 1
"""Version of these tables that this program reads and writes; a newer one is refused."""

metadata = sa.MetaData()

_number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""SQLite counts rows up by itself only in an INTEGER."""


def _office_columns(*, primary_key: bool) -> tuple[sa.Column[str], sa.Column[str]]:
    return (
        sa.Column("region", sa.Text, primary_key=primary_key, nullable=False),
        sa.Column("office", sa.Text, primary_key=primary_key, nullable=False),
    )


head = sa.Table(
    "registry",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("rev", sa.BigInteger, nullable=False),
)
"""One row, of id 1."""

region = sa.Table(
    "registry_region",
    metadata,
    sa.Column("region", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
)

office = sa.Table(
    "registry_office",
    metadata,
    *_office_columns(primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False, unique=True),
    sa.Column("voice", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)

replay = sa.Table(
    "registry_replay",
    metadata,
    *_office_columns(primary_key=True),
    sa.Column("keep_s", sa.Integer, nullable=False),
    sa.Column("keep_count", sa.Integer, nullable=False),
)
"""Offices that keep what is said for those who missed it; one that has no row keeps nothing."""

user = sa.Table(
    "registry_user",
    metadata,
    *_office_columns(primary_key=True),
    sa.Column("user", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("uid", sa.BigInteger, nullable=False, unique=True),
    sa.Column("priority", sa.Text, nullable=False),
    sa.Column("listen_only", sa.Boolean, nullable=False),
    sa.Column("revoked_at", sa.BigInteger),
    sa.Column("revoked_why", sa.Text, nullable=False),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("hardware", sa.Text),
    sa.Column("secret_salt", sa.Text),
    sa.Column("secret_iterations", sa.Integer),
    sa.Column("secret_hash", sa.Text),
    sa.Column("clone", sa.Text),
    sa.Column("clone_at", sa.BigInteger),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)

uid = sa.Table("registry_uid", metadata, sa.Column("uid", sa.BigInteger, primary_key=True, autoincrement=False))
"""Every uid ever given: none is given twice, whatever becomes of its user."""

code = sa.Table(
    "registry_code",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    *_office_columns(primary_key=False),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("made_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    sa.Column("used_at", sa.BigInteger),
    sa.Column("used_by", sa.Text),
    sa.Column("withdrawn_at", sa.BigInteger),
    sa.Column("claim", sa.Text),
    sa.Column("claimed_at", sa.BigInteger),
)
"""`claim`: an enrolment that is under way holds the code until it is done, fails, or has taken too long."""

kick = sa.Table(
    "registry_kick",
    metadata,
    sa.Column("id", _number, primary_key=True, autoincrement=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("uid", sa.BigInteger, nullable=False),
    sa.Column("lift", sa.Boolean, nullable=False),
    sa.Column("rule_id", sa.BigInteger),
    sa.Column("made_at", sa.BigInteger, nullable=False),
    sa.Column("done_at", sa.BigInteger),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)

console = sa.Table(
    "registry_console",
    metadata,
    *_office_columns(primary_key=True),
    sa.Column("user", sa.Text, primary_key=True),
    sa.Column("issue", sa.BigInteger, nullable=False),
    sa.Column("issued_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    sa.Column("ended_at", sa.BigInteger),
    sa.Column("secret_salt", sa.Text),
    sa.Column("secret_iterations", sa.Integer),
    sa.Column("secret_hash", sa.Text),
)
"""The newest broker login of each call manager's page; its row stays, so that its number never falls."""

token = sa.Table(
    "registry_token",
    metadata,
    sa.Column("no", _number, primary_key=True, autoincrement=True),
    sa.Column("at", sa.BigInteger, nullable=False, index=True),
    *_office_columns(primary_key=False),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("publisher", sa.Boolean, nullable=False),
    sa.Column("took_us", sa.BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
