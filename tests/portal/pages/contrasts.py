"""The contrast of two colours, and the colours of a style sheet (WCAG 2.2, 1.4.3 and 1.4.11)."""

import re

Palette = dict[str, str]

_VARIABLE = re.compile(r"--([a-z-]+):\s*(#[0-9a-f]{6})\s*;")


def palettes(css: str) -> dict[str, Palette]:
    """The colours of the light and of the dark theme by their names."""
    blocks = re.findall(r":root\s*\{([^}]*)\}", css)
    light = dict(_VARIABLE.findall(blocks[0]))
    return {"light": light, "dark": light | dict(_VARIABLE.findall(blocks[1]))}


def contrast(one: str, other: str) -> float:
    """Between 1, the same, and 21, black on white."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.2, "relative luminance")."""
    red, green, blue = (_linear(int(colour[place : place + 2], 16) / 255) for place in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(share: float) -> float:
    return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)
