"""`${NAME}`, `${NAME:-default}` and `${file:path}`: what a text of the configuration stands for."""

import os
import re
from collections.abc import Mapping

MAX_BYTES = 65_536
"""Of a file named by `${file:…}`."""

REFERENCE = re.compile(r"\$\$|\$\{([^}]*)\}?")
NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


def expand(text: str, environment: Mapping[str, str], folder: str) -> str:
    """The text with its references replaced; `$$` is a dollar. Paths of files start at `folder`.

    Raises ValueError that says what is wrong; it never holds the value of a variable or what a file says.
    """
    return REFERENCE.sub(lambda found: _replaced(found, environment, folder), text)


def references(text: str) -> list[str]:
    """The references in the text, as they are written."""
    return [found[0] for found in REFERENCE.finditer(text) if found[0] != "$$"]


def _replaced(found: re.Match[str], environment: Mapping[str, str], folder: str) -> str:
    if found[0] == "$$":
        return "$"
    inside = found[1]
    if inside.startswith("file:") and found[0].endswith("}"):
        return _content(os.path.join(folder, inside.removeprefix("file:")), inside.removeprefix("file:"))
    variable = NAME.fullmatch(inside)
    if variable is None or not found[0].endswith("}") or "${" in inside:
        raise ValueError("is no variable; write ${NAME}, ${NAME:-default} or ${file:path}, and $${ where you mean ${")
    name, default = variable.groups()
    value = environment.get(name)
    # As in a shell, `:-` stands in for an empty variable too.
    if default is not None and not value:
        return str(default)
    if value is None:
        raise ValueError(f"the environment variable {name} is not set; set it, or write ${{{name}:-default}}")
    return value


def _content(path: str, written: str) -> str:
    """The text of a file without the newlines at its end."""
    try:
        content = _read(path)
        text = content.decode()
    except OSError as error:
        raise ValueError(
            f"cannot read the file {written}: {(error.strerror or 'it cannot be opened').lower()}"
        ) from None
    except UnicodeDecodeError:
        raise ValueError(f"cannot use the file {written}: it is not UTF-8") from None
    if len(content) > MAX_BYTES:
        raise ValueError(f"cannot use the file {written}: it is larger than {MAX_BYTES} bytes")
    return text.rstrip("\r\n")


def _read(path: str) -> bytes:
    # A pipe or a device could make us wait for ever.
    if "\0" in path or not os.path.isfile(path):
        raise FileNotFoundError(2, "no such file")
    with open(path, "rb") as file:
        return file.read(MAX_BYTES + 1)
