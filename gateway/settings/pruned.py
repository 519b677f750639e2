"""Data without its faulty parts: what is left is checked all the same, so that all mistakes are told at once."""

from collections.abc import Iterable

from gateway.settings.mistakes import Path
from gateway.settings.scalars import Plain


class Pruned:
    """A copy of the data from which parts are taken away. Paths are those of the whole data, in and out."""

    def __init__(self, data: Plain) -> None:
        self.data = _copy(data)
        self._kept: dict[Path, list[int]] = {}

    def remove(self, paths: Iterable[Path]) -> bool:
        """Take these values away, or where one is missing, what it is missing from. False: nothing is left."""
        gone = {self._nearest(path) for path in paths if not self._stood_in(path)}
        if () in gone:
            return False
        # From the end, so that positions in a list stay valid until their turn has come.
        for path in sorted(gone, key=lambda path: [(isinstance(part, int), part) for part in path], reverse=True):
            self._remove(path)
        return True

    def original(self, path: Path) -> Path:
        """Where a value of what is left stood before."""
        whole: Path = ()
        for part in path:
            kept = self._kept.get(whole)
            whole = (*whole, kept[part] if kept is not None and isinstance(part, int) and part < len(kept) else part)
        return whole

    def _stood_in(self, path: Path) -> bool:
        """A route does without its upstream here: nothing else in it depends on where it goes."""
        match path:
            case ("routes", name, "upstream") | ("routes", name, "upstream", "targets", *_):
                routes = self.data["routes"] if isinstance(self.data, dict) else None
                route = routes[name] if isinstance(routes, dict) and isinstance(name, str) else None
                if isinstance(route, dict):
                    route["upstream"] = {"targets": ["http://localhost"]}
                    return True
        return False

    def _nearest(self, path: Path) -> Path:
        here = self.data
        for length, part in enumerate(path):
            try:
                here = here[part]  # type: ignore[index]  # whatever does not fit ends the way
            except (KeyError, IndexError, TypeError):
                return path[:length]
        return path

    def _remove(self, path: Path) -> None:
        around = self.data
        for part in path[:-1]:
            around = around[part]  # type: ignore[index]  # _nearest walked this way
        last = path[-1]
        if isinstance(around, list) and isinstance(last, int):
            kept = self._kept.setdefault(self.original(path[:-1]), list(range(len(around))))
            del around[last], kept[last]
        elif isinstance(around, dict) and isinstance(last, str):
            around.pop(last, None)


def _copy(data: Plain) -> Plain:
    match data:
        case dict():
            return {name: _copy(value) for name, value in data.items()}
        case list():
            return [_copy(value) for value in data]
    return data
