"""What people write besides metadata, as it is kept. Pure."""

import unicodedata

from gateway.clients.mistakes import Invalid


def written(text: str, longest: int) -> str:
    """A reason without what would change how it is shown: control characters, and marks that turn the direction.

    Lines stay lines. Raises `Invalid` (code `invalid_text`) when it is longer than that.
    """
    normal = unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()
    if len(normal) > longest:
        raise Invalid(f"A reason has at most {longest} characters.", "invalid_text")
    return "".join(each for each in normal if each == "\n" or _is_visible(each))


def _is_visible(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] != "C" and category not in {"Zl", "Zp"}
