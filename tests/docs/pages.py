"""The pages of the documentation, taken apart: titles, tables, fenced blocks and links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
DOCS = CHECKOUT / "docs"
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[a-z]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[(?:[^\]\[]|\[[^\]]*\])*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: where it begins, its language and its text."""

    page: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """As an editor opens it, and as pytest names it."""
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Every page, the README first."""
    return [CHECKOUT / "README.md", *sorted(DOCS.rglob("*.md"))]


def blocks(path: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    content = path.read_text()
    for found in FENCE.finditer(content):
        line = content.count("\n", 0, found.start()) + 1
        indent = found["indent"]
        text = "".join(each.removeprefix(indent) for each in found["text"].splitlines(keepends=True))
        yield Block(path.relative_to(CHECKOUT).as_posix(), line, found["language"], text)


def all_blocks(*languages: str) -> list[Block]:
    """The blocks of all pages that are in one of the languages."""
    return [block for path in pages() for block in blocks(path) if block.language in languages]


def prose(path: Path) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", path.read_text())


def sentences(path: Path) -> str:
    """The prose of a page on one line: where its lines are broken does not matter."""
    return " ".join(prose(path).split())


def links(path: Path) -> list[str]:
    """Where a page's links lead, as they are written."""
    return [found["target"] for found in LINK.finditer(prose(path))]


def anchors(path: Path) -> set[str]:
    """The names that links may have after a `#`: headings in lower case, with dashes for spaces."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(prose(path)))
    return {name.strip().replace(" ", "-") for name in plain}


def rows(path: Path, heading: str | None = None) -> list[list[str]]:
    """The rows of the tables of a page, or of one section of it, without the heads."""
    return [row for table in tables(path, heading) for row in table]


def tables(path: Path, heading: str | None = None) -> list[list[list[str]]]:
    """The tables of a page, or of one section of it: rows of cells, without the head."""
    text = prose(path) if heading is None else section(path, heading)
    found = re.findall(r"(?:^\|.*\|\n)+", text + "\n", re.MULTILINE)
    return [[_cells(line) for line in table.splitlines()[2:]] for table in found]


def section(path: Path, heading: str) -> str:
    """What stands under a heading, up to the next of its level or a higher one. Raises ValueError where none is."""
    text = prose(path)
    found = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"{path.name} has no section {heading!r}")
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def code(cell: str) -> str:
    """The first word of a cell that is set as code; the cell itself where nothing is."""
    found = CODE.search(cell)
    return found[1] if found else cell


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip("|"))]
