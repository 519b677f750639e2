"""Whatever a file says, there are settings or mistakes: no other failure, and no secret told."""

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.settings import Mistake, SettingsError, parse
from tests.settings.test_example import ENVIRONMENT, EXAMPLE
from tests.settings.test_source import data

WORDS = sorted(
    {word.strip(":,[]{}\"'") for word in EXAMPLE.split()}
    | {"${A}", "${A:-b}", "${file:x}", "*a", "&a", "<<", "!t", "${", "a:B"}
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.sampled_from(WORDS),
)  # fmt: skip
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=25,
)


def attempt(text: str) -> None:
    """There is an outcome, and where it is a list of mistakes, it is in order and tells no secret."""
    mistakes = outcome(text)
    assert list(mistakes) == sorted(mistakes)
    assert "secret-of-somebody" not in "".join(map(str, mistakes))
    assert all(str(mistake).count("\n") == 0 for mistake in mistakes)


def outcome(text: str) -> tuple[Mistake, ...]:
    try:
        parse(text, environment={"A": "secret-of-somebody"})
    except SettingsError as error:
        return error.mistakes
    return ()


@given(st.text())
@example("a: \x00")
@example("\ufeff")
@example("? [a]\n: b")
@example("&a : *a")
@example("*a : b")
@example("- - - -")
@example("<<: *a")
@example("a: !!python/object:os.system x")
@example("%TAG ! tag:x,2000:\n--- !a b")
@example("routes: {a: {policies: [{a.b:C: 1}]}}")
@example("routes: {a: {policies: [{when: 1, x: 1}]}}")
@example("providers: {a: {issuer: 'http://['}}\nroutes: {}")
@example("providers: {a: {issuer: 'http://a:b', preset: okta}}\nroutes: {}")
@settings(max_examples=300, deadline=None)
def test_no_text_makes_it_fail(text: str) -> None:
    attempt(text)


@given(TREES)
@settings(max_examples=300, deadline=None)
def test_no_tree_of_values_makes_it_fail(tree: object) -> None:
    attempt(yaml.safe_dump(tree, allow_unicode=True))


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_no_change_of_a_right_file_makes_it_fail(changes: st.DataObject) -> None:
    tree = data_of_the_example()
    for _ in range(changes.draw(st.integers(1, 4))):
        change(tree, changes)
    attempt(yaml.safe_dump(tree))


def data_of_the_example() -> object:
    found: object = data(EXAMPLE, **ENVIRONMENT)
    return found


def change(tree: object, changes: st.DataObject) -> None:
    """Put anything in the place of anything."""
    while True:
        if not isinstance(tree, dict | list) or not tree:
            return
        key = changes.draw(st.sampled_from(list(tree) if isinstance(tree, dict) else range(len(tree))))
        if changes.draw(st.booleans()) and isinstance(tree[key], dict | list):
            tree = tree[key]
            continue
        tree[key] = changes.draw(TREES)
        return
