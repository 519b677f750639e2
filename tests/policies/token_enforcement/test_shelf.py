"""What is known of credentials: what is at hand, what was put away, and what has to go."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy import Allow
from policies.token_enforcement.claims import Token
from policies.token_enforcement.facts import Active, Fact, NotIntrospectable, Rejected
from policies.token_enforcement.shelf import Shelf
from tests.fakes import NOON

TOKEN = Token(
    issuer=None,
    subject="alice",
    client_id="mobile",
    audience=None,
    scopes=frozenset(),
    expires_at=NOON + 3600,
    not_before=None,
    issued_at=None,
    claims={},
)


def verified(asked_at: float = NOON, client_id: str | None = "mobile") -> Active:
    return Active(replace(TOKEN, client_id=client_id), asked_at)


def rejected(asked_at: float = NOON) -> Rejected:
    return Rejected("token_inactive", "The token is not active.", asked_at)


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


NAMES = st.integers(0, 11).map(lambda number: b"%02d" % number)
DEEDS = st.tuples(
    st.just("put"), NAMES, st.sampled_from([verified(), verified(client_id="batch"), NotIntrospectable(NOON)])
)
DEEDS |= st.tuples(st.just("put"), NAMES, st.just(rejected()))
DEEDS |= st.tuples(st.just("get"), NAMES, st.just(rejected()))


@pytest.mark.case("C152")
@given(deeds=st.lists(DEEDS, max_size=60), at_hand=st.integers(0, 6), room=st.integers(0, 6) | st.just(12))
def test_a_shelf_knows_the_last_fact_or_nothing_and_everything_while_there_is_room(
    deeds: list[tuple[str, bytes, Fact]], at_hand: int, room: int
) -> None:
    shelf, model = Shelf(verified=room, rejected=12, at_hand=at_hand), dict[bytes, Fact]()
    for deed, key, fact in deeds:
        if deed == "put":
            shelf.put(key, fact)
            model[key] = fact
        known = shelf.get(key)
        assert known == model.get(key) or (known is None and room < 12)
        assert len(shelf) - len(shelf._rejected) <= room
        assert len(shelf._at_hand) <= max(at_hand, 0)


def test_a_token_that_is_put_away_while_others_are_in_use_is_as_it_was() -> None:
    shelf = Shelf(verified=100, rejected=10, at_hand=10)
    facts = {key: verified(NOON + number, f"client-{number % 3}") for number, key in enumerate(keys(50))}
    for key, fact in facts.items():
        shelf.put(key, fact)
    for _ in range(3):
        assert {key: shelf.get(key) for key in facts} == facts
        assert (len(shelf._at_hand), len(shelf._archive)) == (10, 40)


def test_a_token_in_use_stays_at_hand_with_what_was_rendered_for_it() -> None:
    shelf = Shelf(verified=1000, rejected=10, at_hand=10)
    shelf.put(b"hot", verified())
    hot = shelf.get(b"hot")
    for number, key in enumerate(keys(100)):
        shelf.put(key, verified())
        shelf.get(key)
        if number % 9 == 0:
            assert shelf.get(b"hot") is hot


def test_a_token_that_is_asked_about_again_keeps_what_was_rendered_for_it_unless_it_says_something_else() -> None:
    shelf, place, allow = Shelf(verified=10, rejected=10), object(), Allow()
    said = replace(verified(), token=replace(TOKEN, claims={"admin": True}))
    shelf.put(b"a", said)
    known = shelf.get(b"a")
    assert isinstance(known, Active)
    known.render(place, allow)
    shelf.put(b"a", replace(said, asked_at=NOON + 48))
    again = shelf.get(b"a")
    assert isinstance(again, Active)
    assert (again.asked_at, again.rendered(place)) == (NOON + 48, allow)
    shelf.put(b"a", Active(replace(TOKEN, claims={"admin": 1}), NOON + 96))
    other = shelf.get(b"a")
    assert isinstance(other, Active)
    assert other.rendered(place) is None
    assert repr(dict(other.token.claims)) == "{'admin': 1}"


def test_a_token_that_was_asked_about_again_is_put_away_with_its_later_time() -> None:
    shelf = Shelf(verified=10, rejected=10, at_hand=1)
    for asked_at in (NOON, NOON + 48):
        shelf.put(b"a", verified(asked_at))
        shelf.get(b"a")
    shelf.put(b"b", verified())
    shelf.get(b"b")
    assert b"a" not in shelf._at_hand
    assert shelf.get(b"a") == verified(NOON + 48)


# --- forgetting ---


@pytest.mark.parametrize("at_hand", [0, 1, 100])
def test_the_tokens_of_one_client_are_forgotten_and_counted(at_hand: int) -> None:
    shelf = Shelf(verified=100, rejected=10, at_hand=at_hand)
    shelf.put(b"a", verified(client_id="mobile"))
    shelf.put(b"b", verified(client_id="batch"))
    shelf.put(b"c", NotIntrospectable(NOON))
    shelf.put(b"d", rejected())
    shelf.put(b"e", verified(client_id=None))
    for key in (b"a", b"b", b"c", b"d", b"e"):
        shelf.get(key)
    assert sum(shelf.forget("mobile")) == 1
    assert [key for key in (b"a", b"b", b"c", b"d", b"e") if shelf.get(key)] == [b"b", b"c", b"d", b"e"]
    assert len(shelf) == 4


@pytest.mark.parametrize("at_hand", [0, 5, 100])
def test_not_one_of_them_is_known_before_the_first_step(at_hand: int) -> None:
    shelf = Shelf(verified=100, rejected=10, at_hand=at_hand)
    for key in keys(20):
        shelf.put(key, verified())
        shelf.get(key)
    for steps in (shelf.forget("mobile"), shelf.forget_all()):
        assert not any(shelf.get(key) for key in keys(20))
        list(steps)


def test_what_is_learned_of_a_client_after_it_was_forgotten_is_known_again() -> None:
    shelf = Shelf(verified=100, rejected=10, at_hand=0)
    shelf.put(b"a", verified())
    list(shelf.forget("mobile"))
    shelf.put(b"a", verified(NOON + 1))
    assert shelf.get(b"a") == verified(NOON + 1)


def test_a_client_that_is_forgotten_twice_at_once_is_not_known_again_after_the_first_time() -> None:
    shelf = Shelf(verified=100, rejected=10, at_hand=0)
    shelf.put(b"a", verified())
    first, second = shelf.forget("mobile"), shelf.forget("mobile")
    list(first)
    shelf.put(b"a", verified())
    assert shelf.get(b"a") is None
    list(second)
    shelf.put(b"a", verified())
    assert shelf.get(b"a") == verified()
    assert shelf._doomed == []


def test_everything_verified_is_forgotten_and_counted() -> None:
    shelf = Shelf(verified=5000, rejected=10, at_hand=3000)
    for key in keys(4000):
        shelf.put(key, verified())
        shelf.get(key)
    shelf.put(b"no", rejected())
    steps = list(shelf.forget_all())
    assert sum(steps) == 4000
    assert max(steps) <= 1000
    assert len(shelf) == 1
    assert shelf.get(b"no") == rejected()


def keys(count: int) -> Iterator[bytes]:
    return (index.to_bytes(4) for index in range(count))
