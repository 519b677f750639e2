"""YAML → plain data: types, positions, anchors, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from gateway.settings import load
from gateway.settings.mistakes import Place, SettingsError
from gateway.settings.scalars import Loader
from gateway.settings.source import read
from tests.settings import ROUTE, line, lines

ALIAS = "1:4: is not YAML: an alias (*) names no anchor (&) above it; put a text that begins with * between quotes"
LOOK = "; look at the indentation, colons and quotes before this place"


def data(text: str, **environment: str) -> Any:
    source = read(text, "tokenward.yaml", environment)
    assert source.wrong == []
    return source.data


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("8080", 8080), ("0x1F", 31), ("0o17", 15), ("-3", -3), ("010", 10), ("1.5", 1.5), ("1e3", 1000.0),
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None), ("text", "text"), ("'8080'", "8080"),
        ('"true"', "true"), ("no", "no"), ("off", "off"), ("12:30", "12:30"), ("2026-11-23", "2026-11-23"),
        ("1_000", "1_000"), ("!!str 12", "12"), ("!!int '12'", 12), ("=", "="),
    ],
)  # fmt: skip
def test_a_scalar_has_the_type_of_yaml_1_2(scalar: str, value: object) -> None:
    found = data(f"a: {scalar}")["a"]
    assert found == value
    assert type(found) is type(value)


def test_libyaml_reads_the_file_where_pyyaml_was_built_with_it() -> None:
    yaml = pytest.importorskip("yaml")
    assert issubclass(Loader, yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader)


def test_each_value_is_known_by_the_place_of_its_key_or_item() -> None:
    source = read("a:\n  b: 1\n  c:\n    - x\n    - {d: 2}\n", "f", {})
    assert source.places == {
        (): Place(1, 1), ("a",): Place(1, 1), ("a", "b"): Place(2, 3), ("a", "c"): Place(3, 3),
        ("a", "c", 0): Place(4, 7), ("a", "c", 1): Place(5, 7), ("a", "c", 1, "d"): Place(5, 8),
    }  # fmt: skip


def test_an_anchor_stands_for_its_value_wherever_it_is_named() -> None:
    assert data("a: &x {b: 1}\nc: *x") == {"a": {"b": 1}, "c": {"b": 1}}


def test_a_merge_key_adds_what_is_not_written_and_the_first_mapping_of_a_list_counts() -> None:
    assert data("a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  <<: [*a, *b]\n  x: 3")["c"] == {"x": 3, "y": 1, "z": 2}


def test_a_value_behind_an_anchor_is_faulty_once_however_often_it_is_named() -> None:
    assert lines(f"a: &x ${{NOPE}}\nb: *x\nc: *x\n{ROUTE}")[0].startswith("tokenward.yaml:1:1: a: the environment")
    assert sum("NOPE" in each for each in lines(f"a: &x ${{NOPE}}\nb: *x\nc: *x\n{ROUTE}")) == 1


def test_keys_are_text_whatever_they_look_like() -> None:
    assert data("404: a\ntrue: b\n~: c") == {"404": "a", "true": "b", "~": "c"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1:1: is empty; write at least routes:"),
        ("# nothing\n", "1:1: is empty; write at least routes:"),
        ("a: [1\nb: 2\n", "2:2: is not YAML: did not find expected ',' or ']'" + LOOK),
        ("a: b: c\n", "1:5: is not YAML: mapping values are not allowed in this context" + LOOK),
        ("\ta: 1\n", "1:1: is not YAML: found character that cannot start any token" + LOOK),
        ("a: *b\n", ALIAS),
        ("a: !x!y b\n", "1:4: is not YAML: a tag (!) is not known; put a text that begins with ! between quotes"),
        ("a: 1\n---\nb: 2\n", "2:1: holds more than one YAML document; keep one, without --- in between"),
        ("a: 1\nb: \x01\n", "2:4: holds a control character; write it as an escape between double quotes"),
        ("a: \udc80\n", "1:1: is not Unicode text; write it in UTF-8"),
        ("a: &x [*x]\n", "1:4: holds an anchor (&) that contains an alias (*) of itself"),
        ("a: " + "[" * 64 + "]" * 64, "1:67: is nested deeper than 64 levels"),
        ("a: " + "[" * 500_000, "1:67: is nested deeper than 64 levels"),
        ("a: " + "x" * 1_048_576, "1:1: is larger than 1048576 bytes; a configuration is not"),
    ],
)  # fmt: skip
def test_a_text_that_is_no_configuration_is_refused_as_a_whole(text: str, expected: str) -> None:
    assert line(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("workers: 1\nworkers: 2\n", "2:1: workers: is written twice; the first is in line 1, keep one"),
        ("drain:\n  delay: 1\n  delay: 2\n", "3:3: drain.delay: is written twice; the first is in line 2, keep one"),
        ("log_level: !secret abc\n", "1:1: log_level: has a tag (!) that means nothing here; leave the tag out"),
        ("drain: !!set {a}\n", "1:8: drain: has a tag (!) that means nothing here; leave the tag out"),
        ("log_level: !!binary YWJj\n", "1:1: log_level: has a tag (!) that means nothing here; leave the tag out"),
        ("workers: !!int many\n", "1:1: workers: is no whole number"),
        ("workers: " + "9" * 41 + "\n", "1:1: workers: is no number that can be used; write a finite one"),
        ("drain:\n  delay: .inf\n", "2:3: drain.delay: is no number that can be used; write a finite one"),
        ("drain:\n  delay: 1e999\n", "2:3: drain.delay: is no number that can be used; write a finite one"),
        ("drain:\n  [a]: 1\n", "2:3: drain: has a key that is no text; write name: value"),
        ("drain:\n  <<: 5\n", "2:7: drain: merges (<<) what is no mapping; write <<: *anchor of a mapping"),
    ],
)  # fmt: skip
def test_a_value_that_yaml_allows_and_we_do_not_is_told_at_its_place(text: str, expected: str) -> None:
    assert line(text + ROUTE) == expected.replace("1:8: drain", "1:1: drain")


def test_a_bomb_of_aliases_is_refused() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in range(1, 10):
        bomb += f"a{level}: &a{level} [" + ", ".join([f"*a{level - 1}"] * 10) + "]\n"
    assert line(bomb).endswith("holds more than 100000 values once its aliases are followed")


def test_a_bomb_of_merge_keys_is_refused() -> None:
    bomb = "a0: &a0 {x: 1}\n"
    for level in range(1, 40):
        bomb += f"a{level}: &a{level} {{<<: [" + ", ".join([f"*a{level - 1}"] * 10) + "]}\n"
    assert line(bomb).endswith("holds more than 100000 values once its aliases are followed")


def test_a_syntax_error_does_not_repeat_what_may_be_a_secret() -> None:
    for text in ("client_secret: *s3cret\n", "client_secret: !s3cret!x y\n", "client_secret: @s3cret\n", '"s3cret\n'):
        assert "s3cret" not in "".join(lines(text))


def test_a_file_that_is_not_there_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path / "none.yaml", {})
    assert str(caught.value) == f"{tmp_path}/none.yaml:1:1: cannot be read: no such file or directory"


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_bytes(b"a: \xff\xfe")
    with pytest.raises(SettingsError, match="cannot be read: it is not UTF-8"):
        load(tmp_path / "t.yaml", {})


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("a: " + "x" * 2_000_000)
    with pytest.raises(SettingsError, match="is larger than 1048576 bytes"):
        load(tmp_path / "t.yaml", {})


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_bytes(b"\xef\xbb\xbf" + ROUTE.encode())
    assert load(tmp_path / "t.yaml", {}).workers == 1
