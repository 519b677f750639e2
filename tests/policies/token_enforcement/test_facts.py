"""What is known of credentials, and for how long it may be believed."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.token_enforcement.claims import Token
from policies.token_enforcement.facts import RESTEP, Active, Digests, Fact, NotIntrospectable, Patience, Rejected, Shelf
from tests.fakes import NOON


def token(expires_at: float | None = NOON + 3600, client_id: str = "mobile") -> Token:
    return Token(
        issuer=None,
        subject="alice",
        client_id=client_id,
        audience=None,
        scopes=frozenset(),
        expires_at=expires_at,
        not_before=None,
        issued_at=None,
        claims={},
    )


def verified(asked_at: float = NOON) -> Active:
    return Active(token(), asked_at)


def rejected(asked_at: float = NOON) -> Rejected:
    return Rejected("token_inactive", "The token is not active.", asked_at)


# --- patience ---


@pytest.mark.case("C151")
def test_a_verified_token_is_believed_until_the_maximum_age_and_not_at_it() -> None:
    patience = Patience(max_age=60)
    assert patience.believes(verified(), NOON + 59.999)
    assert not patience.believes(verified(), NOON + 60)


@pytest.mark.case("C151")
def test_a_fact_is_believed_for_a_minute_where_nobody_said_otherwise() -> None:
    assert Patience().believes(verified(), NOON + 59.999)
    assert not Patience().believes(verified(), NOON + 60)


@pytest.mark.case("C111")
def test_a_token_without_an_expiry_has_a_maximum_age_of_its_own_but_never_a_greater_one() -> None:
    endless = Active(token(expires_at=None), NOON)
    patience = Patience(max_age=60, max_age_without_exp=20)
    assert patience.believes(endless, NOON + 19.999)
    assert not patience.believes(endless, NOON + 20)
    assert not Patience(max_age=10, max_age_without_exp=20).believes(endless, NOON + 10)


@pytest.mark.case("C108")
def test_a_rejection_has_a_maximum_age_of_its_own_but_never_a_greater_one() -> None:
    patience = Patience(max_age=60, negative_age=10)
    assert patience.believes(rejected(), NOON + 9.999)
    assert not patience.believes(rejected(), NOON + 10)
    assert not Patience(max_age=5, negative_age=10).believes(rejected(), NOON + 5)


@pytest.mark.case("C164")
@pytest.mark.parametrize(
    "fact", [verified(), rejected(), NotIntrospectable(NOON)], ids=lambda fact: type(fact).__name__
)
@given(elapsed=st.floats(min_value=-2 * RESTEP, max_value=2 * RESTEP))
def test_a_maximum_age_of_zero_believes_nothing_whatever_the_clock_does(fact: Fact, elapsed: float) -> None:
    assert not Patience(max_age=0).believes(fact, NOON + elapsed)


def test_stale_facts_are_believed_for_so_much_longer_and_no_more() -> None:
    patience = Patience(max_age=60)
    assert patience.believes(verified(), NOON + 89.999, longer=30)
    assert not patience.believes(verified(), NOON + 90, longer=30)


@pytest.mark.case("C279")
def test_who_was_received_before_the_question_was_asked_may_believe_the_answer() -> None:
    assert Patience().believes(verified(), NOON - RESTEP + 0.001)


@pytest.mark.case("C279")
def test_a_fact_from_the_far_future_is_not_believed() -> None:
    assert not Patience().believes(verified(), NOON - RESTEP)
    assert not Patience(max_age=1e9).believes(verified(), NOON - 3600)


# --- the shelf ---


@pytest.fixture
def shelf() -> Shelf:
    return Shelf(verified=100, rejected=10)


FACTS = st.sampled_from([verified(), rejected(), NotIntrospectable(NOON)])


@given(facts=st.lists(st.tuples(st.sampled_from([b"a", b"b"]), FACTS)))
def test_what_was_learned_last_is_what_is_known(facts: list[tuple[bytes, Fact]]) -> None:
    shelf = Shelf(verified=10, rejected=10)
    expected: dict[bytes, Fact] = {}
    for key, fact in facts:
        shelf.put(key, fact)
        expected[key] = fact
    assert {key: shelf.get(key) for key in expected} == expected
    assert len(shelf) == len(expected)


def test_nothing_is_known_of_what_was_never_put(shelf: Shelf) -> None:
    assert shelf.get(b"a") is None


def test_an_answer_that_was_overtaken_does_not_replace_the_younger_one(shelf: Shelf) -> None:
    shelf.put(b"a", rejected(NOON))
    shelf.put(b"a", verified(NOON - 1))
    assert shelf.get(b"a") == rejected(NOON)


@pytest.mark.case("C135")
def test_a_rejection_counts_even_if_it_was_overtaken(shelf: Shelf) -> None:
    # Two answers so close together cannot be put in order once a clock was set back, and a no is the safer one.
    shelf.put(b"a", verified(NOON))
    shelf.put(b"a", rejected(NOON - 1))
    assert shelf.get(b"a") == rejected(NOON - 1)


@pytest.mark.case("C279")
def test_a_fact_from_before_the_clock_was_set_back_gives_way(shelf: Shelf) -> None:
    shelf.put(b"a", rejected(NOON + 3600))
    shelf.put(b"a", verified(NOON))
    assert shelf.get(b"a") == verified(NOON)


@pytest.mark.case("C152")
def test_neither_kind_grows_beyond_its_room(shelf: Shelf) -> None:
    for key in keys(1000):
        shelf.put(b"v" + key, verified())
        shelf.put(b"r" + key, rejected())
    assert len(shelf) == 110


@pytest.mark.case("C164")
def test_a_shelf_without_room_keeps_nothing() -> None:
    shelf = Shelf(verified=0, rejected=0)
    for fact in (verified(), rejected(), NotIntrospectable(NOON)):
        shelf.put(b"a", fact)
        assert shelf.get(b"a") is None


@pytest.mark.case("C152")
def test_invented_tokens_do_not_push_out_good_ones(shelf: Shelf) -> None:
    good = [b"good" + key for key in keys(100)]
    for key in good:
        shelf.put(key, verified())
    for key in keys(10_000):
        shelf.put(key, rejected())
    assert all(shelf.get(key) == verified() for key in good)


@pytest.mark.case("C152")
def test_tokens_in_use_are_not_pushed_out_by_many_that_are_used_once(shelf: Shelf) -> None:
    hot = [b"hot" + key for key in keys(50)]
    for key in hot:
        shelf.put(key, verified())
    for key in keys(10_000):
        shelf.put(key, verified())
        if key[-1] % 20 == 0:
            assert all(shelf.get(hot_key) is not None for hot_key in hot)


def test_the_doomed_are_forgotten_and_counted(shelf: Shelf) -> None:
    shelf.put(b"a", Active(token(client_id="mobile"), NOON))
    shelf.put(b"b", Active(token(client_id="batch"), NOON))
    shelf.put(b"c", NotIntrospectable(NOON))
    shelf.put(b"d", rejected())
    assert shelf.forget(lambda fact: fact.token.client_id == "mobile") == 1
    assert [key for key in (b"a", b"b", b"c", b"d") if shelf.get(key)] == [b"b", b"c", b"d"]


def keys(count: int) -> Iterator[bytes]:
    return (index.to_bytes(4) for index in range(count))


# --- names ---


@pytest.mark.case("C159", "C160")
@given(octets=st.binary(max_size=200))
def test_a_credential_s_name_is_thirty_two_octets_that_do_not_hold_it(octets: bytes) -> None:
    name = DIGESTS.of(octets)
    assert len(name) == 32
    assert len(octets) < 4 or octets not in name
    assert DIGESTS.of(octets) == name


@pytest.mark.case("C163")
def test_each_process_names_credentials_by_a_key_of_its_own() -> None:
    assert Digests().of(b"token") != Digests().of(b"token")


DIGESTS = Digests()


@pytest.mark.case("C163")
@given(one=st.binary(max_size=64), other=st.binary(max_size=64))
def test_different_credentials_have_different_names(one: bytes, other: bytes) -> None:
    assert (DIGESTS.of(one) == DIGESTS.of(other)) == (one == other)


@pytest.mark.parametrize("name", ["max_age", "max_age_without_exp", "negative_age", "stale_if_error"])
def test_no_age_is_negative(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is -1.0 s; write 0"):
        Patience(**{name: -1.0})
