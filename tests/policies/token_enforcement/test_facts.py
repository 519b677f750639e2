"""What is known of credentials, and for how long it may be believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.token_enforcement.claims import Token
from policies.token_enforcement.facts import RESTEP, Active, Digests, Fact, NotIntrospectable, Rejected
from policies.token_enforcement.options import Patience
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
