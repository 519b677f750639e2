"""The text of a configuration → plain data, and where each value stands. Knows YAML, and nothing of what it means."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from gateway.settings.mistakes import Path, Place, Wrong
from gateway.settings.scalars import MERGE, STR, TAG, Loader, Plain, is_unicode, typed
from gateway.settings.variables import expand, references

START = Place(1, 1)
MAX_BYTES = 1_048_576
MAX_DEPTH = 64
MAX_VALUES = 100_000
"""With aliases followed: a few lines of them can stand for billions of values."""


@dataclass(slots=True)
class Source:
    """What a file says, before anybody asks what it means."""

    name: str
    data: Plain = None
    places: dict[Path, Place] = field(default_factory=dict)
    """Of a mapping's value: where its key stands."""
    wrong: list[tuple[Place, Wrong]] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    """What variables stood for, and how they are written."""
    readable: bool = True
    """Whether there is any data: a text that is no YAML has none."""

    def known(self, path: Path) -> Path:
        """The longest part of the path that stands in the file."""
        while path and path not in self.places:
            path = path[:-1]
        return path

    def is_mapping(self, path: Path) -> bool:
        """Whether a mapping stands at that path of the file."""
        here: Any = self.data
        for part in path:
            here = here[part]
        return isinstance(here, dict)

    def place(self, path: Path) -> Place:
        """Where the value stands, or the nearest around it."""
        return self.places.get(self.known(path), START)


class _Unusable(Exception):
    """Nothing can be made of the text."""

    def __init__(self, text: str, place: Place = START) -> None:
        super().__init__(text)
        self.place = place


def read(text: str, name: str, environment: Mapping[str, str]) -> Source:
    """What the text says. Never raises: what is wrong is in the result."""
    source = Source(name)
    try:
        node = _composed(text)
        _Walk(source, environment).document(node)
    except _Unusable as error:
        source.readable = False
        source.wrong.append((error.place, Wrong((), str(error))))
    return source


def _composed(text: str) -> yaml.Node | None:
    try:
        if len(text.encode()) > MAX_BYTES:
            raise _Unusable(f"is larger than {MAX_BYTES} bytes; a configuration is not")
        # Nesting is counted first: libyaml's composer overflows the stack of the process where it is deep.
        _count_depth(text)
        node: yaml.Node | None = Loader(text).get_single_node()
    except UnicodeEncodeError:
        raise _Unusable("is not Unicode text; write it in UTF-8") from None
    except yaml.MarkedYAMLError as error:
        raise _Unusable(_problem(error, text), _place(error.problem_mark or error.context_mark)) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise _Unusable("holds a control character; write it as an escape between double quotes", place) from None
    return node


def _count_depth(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _Unusable(f"is nested deeper than {MAX_DEPTH} levels", _place(event.start_mark))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _problem(error: yaml.MarkedYAMLError, text: str) -> str:
    """What the parser found, without the words of the file: a secret without quotes may be among them."""
    words = f"{error.context or ''} {error.problem or ''}"
    if "alias" in words:
        return "is not YAML: an alias (*) names no anchor (&) above it; put a text that begins with * between quotes"
    if "document" in words and "single" in words:
        return "holds more than one YAML document; keep one, without --- in between"
    if "tag" in words:
        return "is not YAML: a tag (!) is not known; put a text that begins with ! between quotes"
    problem = re.sub(r"'[^']*'?|\"[^\"]*\"?", _harmless, error.problem or "it cannot be parsed")
    mark = error.problem_mark
    if mark is not None and "${" in "".join(text.splitlines()[mark.line : mark.line + 1]):
        return f"is not YAML: {problem}; put ${{…}} between quotes where it stands inside {{ }} or [ ]"
    return f"is not YAML: {problem}; look at the indentation, colons and quotes before this place"


def _harmless(quoted: re.Match[str]) -> str:
    """A sign of YAML or the name of a token remains; anything longer may be of the file."""
    return quoted[0] if len(quoted[0]) < 5 or quoted[0][1] == "<" else "…"


def _place(mark: Any) -> Place:
    return START if mark is None else Place(mark.line + 1, mark.column + 1)


class _Walk:
    """One walk over the nodes."""

    def __init__(self, source: Source, environment: Mapping[str, str]) -> None:
        self._source = source
        self._environment = environment
        self._folder = os.path.dirname(source.name)
        self._resolver = Loader("")
        self._open: set[int] = set()
        self._values = 0
        self._said: set[tuple[int, str]] = set()

    def document(self, node: yaml.Node | None) -> None:
        if node is None:
            raise _Unusable("is empty; write at least routes:")
        self._source.places[()] = _place(node.start_mark)
        self._source.data = self._value(node, ())

    def _value(self, node: yaml.Node, path: Path) -> Plain:
        self._count(node)
        if id(node) in self._open:
            raise _Unusable("holds an anchor (&) that contains an alias (*) of itself", _place(node.start_mark))
        match node:
            case yaml.MappingNode() if node.tag == TAG + "map":
                return self._within(node, lambda: self._mapping(node, path))
            case yaml.SequenceNode() if node.tag == TAG + "seq":
                return self._within(node, lambda: self._sequence(node, path))
            case yaml.ScalarNode():
                return self._scalar(node, path)
        self._wrong(node, path, "has a tag (!) that means nothing here; leave the tag out")
        return None

    def _within(self, node: yaml.Node, build: Any) -> Plain:
        self._open.add(id(node))
        built: Plain = build()
        self._open.discard(id(node))
        return built

    def _mapping(self, node: yaml.MappingNode, path: Path) -> Plain:
        built: dict[str, Plain] = {}
        for name, (key, value) in self._entries(node, path).items():
            here = (*path, name)
            self._source.places[here] = _place(key.start_mark)
            built[name] = self._value(value, here)
        return built

    def _sequence(self, node: yaml.SequenceNode, path: Path) -> Plain:
        built: list[Plain] = []
        for index, item in enumerate(node.value):
            self._source.places[(*path, index)] = _place(item.start_mark)
            built.append(self._value(item, (*path, index)))
        return built

    def _entries(self, node: yaml.MappingNode, path: Path) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """The entries of a mapping by name: its own, and what it merges where it says nothing itself."""
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merged: list[yaml.Node] = []
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or not is_unicode(key.value):
                self._wrong_key(key, path, "has a key that is no text; write name: value")
            elif key.tag == MERGE:
                merged.append(value)
            elif key.value in own:
                first = own[key.value][0].start_mark.line + 1
                self._wrong_key(key, (*path, key.value), f"is written twice; the first is in line {first}, keep one")
            else:
                own[key.value] = (key, value)
        for value in merged:
            for name, entry in self._merged(value, path):
                own.setdefault(name, entry)
        return own

    def _merged(self, node: yaml.Node, path: Path) -> Iterator[tuple[str, tuple[yaml.Node, yaml.Node]]]:
        self._count(node)
        match node:
            case yaml.MappingNode() if id(node) not in self._open:
                self._open.add(id(node))
                yield from self._entries(node, path).items()
                self._open.discard(id(node))
            case yaml.SequenceNode() if all(isinstance(item, yaml.MappingNode) for item in node.value):
                for item in node.value:
                    yield from self._merged(item, path)
            case _:
                self._wrong_key(node, path, "merges (<<) what is no mapping; write <<: *anchor of a mapping")

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Plain:
        text, tag = node.value, node.tag
        if tag == STR and "$" in text:
            try:
                text = self._expanded(text)
            except ValueError as error:
                self._wrong(node, path, str(error))
                return None
            if node.style in (None, ""):
                tag = self._resolver.resolve(yaml.ScalarNode, text, (True, False))
        try:
            return typed(text, tag)
        except ValueError as error:
            self._wrong(node, path, str(error))
            return None

    def _expanded(self, text: str) -> str:
        for written in references(text):
            self._source.secrets[expand(written, self._environment, self._folder)] = written
        return expand(text, self._environment, self._folder)

    def _count(self, node: yaml.Node) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            raise _Unusable(
                f"holds more than {MAX_VALUES} values once its aliases are followed", _place(node.start_mark)
            )

    def _wrong(self, node: yaml.Node, path: Path, text: str) -> None:
        """Wrong is the value at that path."""
        self._tell(node, self._source.place(path), Wrong(path, text))

    def _wrong_key(self, node: yaml.Node, path: Path, text: str) -> None:
        """Wrong is the key, which stands somewhere in the mapping."""
        self._tell(node, _place(node.start_mark), Wrong(path, text))

    def _tell(self, node: yaml.Node, place: Place, wrong: Wrong) -> None:
        # What stands behind an anchor is met again at each alias, and told once.
        if (id(node), wrong.text) not in self._said:
            self._said.add((id(node), wrong.text))
            self._source.wrong.append((place, wrong))
