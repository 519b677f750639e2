"""Many octets by key, and which of them go first."""

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from policies.token_enforcement.archive import SEGMENT, Archive

KEYS = st.sampled_from([b"a", b"b", b"c", b"d", b"e"])
ACTIONS = st.lists(
    st.tuples(st.just("put"), KEYS, st.binary(max_size=3))
    | st.tuples(st.sampled_from(["drop", "drop_older"]), KEYS, st.just(b""))
)


@given(actions=ACTIONS)
def test_a_small_archive_is_a_dictionary_in_the_order_of_putting(actions: list[tuple[str, bytes, bytes]]) -> None:
    archive, model = Archive(10), OrderedDict[bytes, bytes]()
    for action, key, octets in actions:
        if action == "put":
            archive.put(key, octets)
            model[key] = octets
            model.move_to_end(key)
        elif action == "drop":
            assert archive.drop(key) == (model.pop(key, None) is not None)
        elif model:
            archive.drop_older(key)
            model.popitem(last=False)
        assert len(archive) == len(model)
        assert {key: archive.get(key) for key in (b"a", b"b", b"c", b"d", b"e")} == {
            key: model.get(key) for key in (b"a", b"b", b"c", b"d", b"e")
        }


def large() -> Archive:
    """One of several segments, with a thousand entries under keys that are as digests are."""
    archive = Archive(16 * SEGMENT)
    for number in range(1000):
        archive.put(key_of(number), b"even" if number % 2 == 0 else b"odd")
    return archive


def key_of(number: int) -> bytes:
    return (number * 2_654_435_761 % 2**32).to_bytes(4, "big")


def test_what_was_put_into_a_large_one_is_found_again() -> None:
    archive = large()
    assert len(archive) == 1000
    assert [archive.get(key_of(number)) for number in range(1000)] == [b"even", b"odd"] * 500


def test_what_begins_alike_is_dropped_in_steps_and_counted() -> None:
    archive = large()
    dropped = list(archive.drop_marked(b"ev"))
    assert sum(dropped) == 500
    assert max(dropped) < 100
    assert len(archive) == 500
    assert archive.get(key_of(2)) is None
    assert archive.get(key_of(3)) == b"odd"


def test_everything_is_gone_before_the_first_step() -> None:
    archive = large()
    steps = archive.drop_all()
    assert len(archive) == 0
    assert archive.get(key_of(2)) is None
    assert sum(steps) == 1000


def test_what_is_dropped_while_everything_goes_is_not_counted_twice() -> None:
    archive = large()
    odd, everything = archive.drop_marked(b"odd"), archive.drop_all()
    archive.put(key_of(1), b"odd")
    assert sum(odd) == 1
    assert sum(everything) == 1000
    assert len(archive) == 0
