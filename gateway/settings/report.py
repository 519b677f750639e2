"""Mistakes as they are found, each told once and at its place in the file."""

from gateway.settings.mistakes import Mistake, Path, Place, told, without
from gateway.settings.source import Source


class Report:
    """What was found wrong with one file so far."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._paths: set[Path] = set()
        self._around: set[Path] = set()
        self._mistakes: set[Mistake] = set()
        for place, wrong in source.wrong:
            self._mistakes.add(self._at(place, wrong.path, wrong.text))
            # A key may be wrong where its value is not: written twice, say.
            if place == source.place(wrong.path):
                self._remember(wrong.path)

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """In the order of the file."""
        return tuple(sorted(self._mistakes))

    def wrong(self, path: Path, text: str) -> None:
        """Tell it, unless it is the consequence of what was already told about this value, or one around it."""
        if not self._told_around(path):
            self._mistakes.add(self.mistake(path, text))
            self._remember(path)

    def faulty(self, path: Path) -> bool:
        """Whether anything is wrong with the value at that path, inside it, or with one around it."""
        return path in self._around or self._told_around(path)

    def mistake(self, path: Path, text: str) -> Mistake:
        """The mistake at its place, without telling it."""
        return self._at(self._source.place(path), path, text)

    def _told_around(self, path: Path) -> bool:
        return any(path[:length] in self._paths for length in range(1, len(path) + 1))

    def _remember(self, path: Path) -> None:
        self._paths.add(path)
        self._around.update(path[:length] for length in range(1, len(path) + 1))

    def _at(self, place: Place, path: Path, text: str) -> Mistake:
        shown = told(self._named(path))
        return Mistake(self._source.name, *place, shown, without(self._source.secrets, text))

    def _named(self, path: Path) -> Path:
        """The whole path, unless the file has a short form there: of that, as far as the file goes."""
        known = self._source.known(path)
        return path if self._source.is_mapping(known) else known
