"""The tables of what became of presses: their traces, what listeners told of bursts, and signs of life by the hour."""

import sqlalchemy as sa

metadata = sa.MetaData()


def _office_columns() -> tuple[sa.Column[str], ...]:
    return tuple(sa.Column(name, sa.Text, primary_key=True) for name in ("region", "office"))


press = sa.Table(
    "press",
    metadata,
    *_office_columns(),
    sa.Column("user", sa.Text, primary_key=True),
    sa.Column("edge_at", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("request", sa.Text, primary_key=True),
    sa.Column("received_at", sa.BigInteger, nullable=False),
    sa.Column("trace", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
"""`edge_at`: as the vehicle says; `received_at`: by the server's clock (both Unix ms); `trace`: the message."""
sa.Index("press_at", press.c.region, press.c.office, press.c.edge_at)
sa.Index("press_received", press.c.region, press.c.office, press.c.received_at)

played = sa.Table(
    "played",
    metadata,
    *_office_columns(),
    sa.Column("burst", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("user", sa.Text, primary_key=True),
    sa.Column("connection", sa.Text, primary_key=True),
    sa.Column("received_at", sa.BigInteger, nullable=False),
    sa.Column("heard_at", sa.BigInteger),
    sa.Column("heard_error_ms", sa.BigInteger),
    sa.Column("join_ms", sa.BigInteger),
    sa.Column("report", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
"""What a listener's loudspeaker played of a burst. `received_at`: by the server's clock (Unix ms); `report`: the
message, of which the columns before it are parts, so that the database can count them. Another store
counts bursts anew: whose report it is, its time says."""
sa.Index("played_received", played.c.region, played.c.office, played.c.received_at)

beats = sa.Table(
    "beats",
    metadata,
    *_office_columns(),
    sa.Column("user", sa.Text, primary_key=True),
    sa.Column("connection", sa.Text, primary_key=True),
    sa.Column("hour_at", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("first_no", sa.BigInteger, nullable=False),
    sa.Column("last_no", sa.BigInteger, nullable=False),
    sa.Column("last_at", sa.BigInteger, nullable=False),
    sa.Column("came", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Heartbeats of one connection that came within an hour (`hour_at`, Unix ms): the first and the last number, when the
last came, and a bit for each (its number modulo BEATS_BITS), so that whoever takes one in twice counts it once."""
sa.Index("beats_at", beats.c.region, beats.c.office, beats.c.hour_at)

BEATS_BITS = 62
"""An hour has 61 beats at most."""
HOUR_MS = 3_600_000
