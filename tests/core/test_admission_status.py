"""What `status` says of admission, and when it is not well."""

from datetime import UTC

import pytest
from msgspec.structs import replace

from dispatch.admission import LiveAdmission
from dispatch.live import Live
from dispatch.show import Status, status_lines
from protocol.ids import OfficeId

GOOD = LiveAdmission(
    rev=17,
    error=None,
    offices=1,
    admitted=12,
    revoked=2,
    clones=(),
    broker_missing=(),
    broker_unknown=(),
    broker_fault="",
    kicks=0,
    kick_error="",
    kicking=True,
    token_ttl_s=3600,
)


def status(admission: LiveAdmission | None) -> Status:
    live = Live(
        replica="1",
        pid=1,
        up_s=1.0,
        broker="b",
        broker_connected=True,
        broker_reason="",
        store_error=None,
        offices=(),
        dropped={},
        admission=admission,
    )
    return Status(
        configured=(OfficeId("seoul", "hq"),),
        live=(live,),
        stuck=(),
        where="/x",
        store_id="1",
        store_error=None,
        snapshots=(),
        registry=True,
    )


@pytest.mark.parametrize(
    ("admission", "says", "well"),
    [
        (None, "OPEN", True),
        (GOOD, "12 admitted, 2 revoked (registry 17)", True),
        (replace(GOOD, error="locked -> wait"), "CANNOT BE READ, its last state holds: locked -> wait", False),
        (replace(GOOD, broker_fault="no answer"), "a revoked user may stay connected: no answer", False),
        (replace(GOOD, broker_missing=("seoul.hq.car-1",)), "missing, enrol or rotate them: seoul.hq.car-1", True),
        (
            replace(GOOD, broker_unknown=("x\x1b[2J",)),
            "unknown to the registry, disabled: x\N{REPLACEMENT CHARACTER}",
            True,
        ),
        (replace(GOOD, clones=("seoul/hq/car-1",)), "another unit uses the identity of seoul/hq/car-1", True),
        (replace(GOOD, kicks=2, kick_error="401"), "2 kicking rule(s) still to be carried out, last answer: 401", True),
        (replace(GOOD, kicking=False), "tokens of a revoked user run out within 3600 s", True),
    ],
)
def test_status_says_who_may_come_in_and_what_is_wrong_with_it(
    admission: LiveAdmission | None, says: str, well: bool
) -> None:
    found = status(admission)

    lines = "\n".join(status_lines(found, "en", lambda _office: UTC))

    assert says in lines
    assert found.well is well


def test_without_agora_nothing_is_said_of_kicking_rules() -> None:
    lines = "\n".join(
        status_lines(status(replace(GOOD, kicking=False, token_ttl_s=0, kicks=3)), "en", lambda _office: UTC)
    )

    assert "Agora" not in lines
