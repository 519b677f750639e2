"""Files that the configuration names: that they are there and can be read."""

import os
from collections.abc import Iterator

from gateway.settings.mistakes import Path, Wrong
from gateway.settings.scalars import Plain


def check_files(data: Plain) -> Iterator[Wrong]:
    """What is wrong with the files named in our sections and in the options of policies."""
    for path, file in _named(data, ()):
        fault = file_fault(file)
        if fault is not None:
            yield Wrong(path, fault)
    log = data.get("access_log") if isinstance(data, dict) else None
    to = log.get("to") if isinstance(log, dict) else None
    if isinstance(to, str) and to not in ("stdout", "stderr", "off") and not os.path.isdir(os.path.dirname(to) or "."):
        yield Wrong(("access_log", "to"), "is neither stdout, stderr or off, nor a file in a folder that exists")


def file_fault(file: str) -> str | None:
    """Why a file cannot be read, or `None`."""
    try:
        if not os.path.isfile(file):
            return "there is no such file; paths start at the folder of the configuration"
        with open(file, "rb"):
            return None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it cannot be opened"
        return f"the file cannot be read: {reason.lower()}"


def _named(data: Plain, path: Path) -> Iterator[tuple[Path, str]]:
    match data:
        case dict():
            for name, value in data.items():
                if name.endswith("_file") and isinstance(value, str) and _is_option(path):
                    yield (*path, name), value
                yield from _named(value, (*path, name))
        case list():
            for index, item in enumerate(data):
                yield from _named(item, (*path, index))


def _is_option(path: Path) -> bool:
    """Whether names at this path are options, rather than names that somebody chose."""
    match path:
        case ("tls",) | ("portal", "tls") | ("apis", str()) | ("management", "notices", str()):
            return True
        case ("providers", str(), "transport") | ("routes", str(), "upstream"):
            return True
        case ("routes", str(), "policies", int(), str()):
            return True
    return False
