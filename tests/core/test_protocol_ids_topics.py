"""Ids, orders and topics: nothing that is no id becomes part of a topic, and what is built can be parsed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.ids import EPOCH_MAX, JSON_INT_MAX, OfficeId, connection_of, epoch_of, ordered_number
from protocol.topics import BadTopic, Kind, Topic, check_id, everyone, own, parse, topic

HQ = OfficeId("seoul", "hq")
ids = st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}", fullmatch=True)
epochs = st.integers(0, EPOCH_MAX)
counts = st.integers(0, 2**32 - 1)


def matches(subscription: str, name: str) -> bool:
    """Whether a broker would deliver `name` to `subscription` (MQTT 5, 4.7)."""
    wanted, given_ = subscription.split("/"), name.split("/")
    return len(wanted) == len(given_) and all(w in ("+", g) for w, g in zip(wanted, given_, strict=True))


@pytest.mark.parametrize(
    "bad",
    ["", "-a", "A", "a b", "a/b", "a+", "#", "+", "a\n", "a\0", "차", "a" * 33, "a_b", "a.b", "$share", "a\x7f"],
)
def test_what_is_no_id_is_refused_wherever_it_would_enter_a_topic(bad: str) -> None:
    for build in (
        lambda: check_id(bad),
        lambda: topic(HQ, Kind.FLOOR, bad),
        lambda: topic(OfficeId(bad, "hq"), Kind.SESSION),
        lambda: topic(OfficeId("seoul", bad), Kind.SESSION),
        lambda: everyone(OfficeId("seoul", bad), Kind.SESSION),
        lambda: everyone(HQ, Kind.FLOOR, share=bad or "/"),
        lambda: own(HQ, Kind.ALERT, bad),
        lambda: topic(HQ, Kind.ALERT, "car-1", bad),
    ):
        with pytest.raises(BadTopic):
            build()


@given(st.text(max_size=40))
def test_an_id_that_passes_holds_nothing_that_means_anything_to_a_broker(text: str) -> None:
    try:
        passed = check_id(text)
    except BadTopic:
        return
    assert passed == text
    assert not set(text) & set("/+#$\0\n ")
    assert 1 <= len(text) <= 32


@given(region=ids, office=ids, user=ids, item=ids, kind=st.sampled_from(Kind))
def test_a_topic_that_was_built_is_parsed_to_what_it_was_built_of(
    region: str, office: str, user: str, item: str, kind: Kind
) -> None:
    # given an office and the ids its kind takes
    where = OfficeId(region, office)
    given_ids = (user, item)[: kind.slots]

    # when the topic is built
    name = topic(where, kind, *given_ids)

    # then it parses to the same, and only the subscriptions meant for it match
    assert parse(name) == Topic(where, kind, *given_ids)
    assert [other for other in Kind if matches(everyone(where, other), name)] == [kind]


@pytest.mark.parametrize("kind", list(Kind))
def test_a_wrong_number_of_ids_is_refused(kind: Kind) -> None:
    with pytest.raises(BadTopic):
        topic(HQ, kind, *["a"] * (kind.slots + 1))


def test_office_1_hears_nothing_of_office_10() -> None:
    one, ten = OfficeId("seoul", "1"), OfficeId("seoul", "10")
    for kind in Kind:
        name = topic(ten, kind, *["car-1"] * kind.slots)
        assert not any(matches(everyone(one, other), name) for other in Kind)
        assert parse(name).office == ten


def test_a_shared_subscription_names_its_group() -> None:
    assert everyone(HQ, Kind.FLOOR, share="ptt-dispatch") == "$share/ptt-dispatch/ptt/v1/seoul/hq/floor/+"


def test_ones_own_alerts_are_all_of_one_user() -> None:
    assert own(HQ, Kind.ALERT, "car-1") == "ptt/v1/seoul/hq/device/car-1/alert/+"
    assert own(HQ, Kind.PRESENCE, "car-1") == "ptt/v1/seoul/hq/presence/car-1"


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "ptt/v1/seoul/hq",
        "ptt/v2/seoul/hq/session",
        "ptt/v1/seoul/hq/session/car-1",
        "ptt/v1/seoul/hq/floor",
        "ptt/v1/seoul/hq/floor/+",
        "ptt/v1/seoul/hq/floor/car-1/reply/x",
        "ptt/v1/seoul/HQ/session",
        "ptt/v1//hq/session",
        "/ptt/v1/seoul/hq/session",
        "ptt/v1/seoul/hq/session/",
        "ptt/v1/seoul/hq/unknown",
        "$SYS/broker/uptime",
        "x" * 70_000,
    ],
)
def test_a_topic_of_somebody_else_is_refused_in_few_words(bad: str) -> None:
    with pytest.raises(BadTopic) as refused:
        parse(bad)
    assert len(str(refused.value)) < 400


@given(st.text(max_size=200))
def test_no_text_makes_parse_raise_anything_else(text: str) -> None:
    try:
        found = parse(text)
    except BadTopic:
        return
    assert topic(found.office, found.kind, *[i for i in (found.user, found.item) if i]) == text


@given(epochs, counts, epochs, counts)
def test_numbers_on_the_wire_order_as_epoch_then_count(epoch: int, n: int, other_epoch: int, other_n: int) -> None:
    mine, other = ordered_number(epoch, n), ordered_number(other_epoch, other_n)
    assert (mine < other) == ((epoch, n) < (other_epoch, other_n))
    assert epoch_of(mine) == epoch
    assert 0 <= mine <= JSON_INT_MAX


@pytest.mark.parametrize(("epoch", "n"), [(-1, 0), (EPOCH_MAX + 1, 0), (0, -1), (0, 2**32)])
def test_a_number_out_of_range_is_refused(epoch: int, n: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        ordered_number(epoch, n)


def test_a_request_knows_the_connection_it_was_made_on() -> None:
    assert connection_of((1, 42, 3, 7)) == (1, 42, 3)


def test_an_office_writes_itself_as_region_and_office() -> None:
    assert str(HQ) == "seoul/hq"
