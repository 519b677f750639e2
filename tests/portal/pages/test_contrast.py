"""Everything can be told apart, in light and in dark (WCAG 2.2, AA)."""

import re
from importlib.resources import files

import pytest

from tests.portal.pages.contrasts import contrast, palettes

CSS = files("gateway.portal").joinpath("static/portal.css").read_text()
PALETTES = palettes(CSS)
GROUNDS = ("ground", "surface", "sunken")
TEXTS = [(text, ground) for text in ("ink", "soft", "accent") for ground in GROUNDS] + [
    ("accent-ink", "accent"),
    ("danger-ink", "danger"),
    ("bad-ink", "ground"),
    ("bad-ink", "surface"),
    *((f"{tone}-ink", tone) for tone in ("waiting", "good", "bad", "quiet")),
]
EDGES = [
    (edge, ground) for edge in ("edge", "accent", "danger", "bar", "bar-refused") for ground in ("ground", "surface")
]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXTS)
def test_text_stands_out_from_what_is_behind_it(theme: str, text: str, ground: str) -> None:
    palette = PALETTES[theme]
    assert contrast(palette[text], palette[ground]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("edge", "ground"), EDGES)
def test_edges_of_fields_and_focus_stand_out(theme: str, edge: str, ground: str) -> None:
    palette = PALETTES[theme]
    assert contrast(palette[edge], palette[ground]) >= 3


def test_both_themes_name_every_colour() -> None:
    dark = re.findall(r":root\s*\{([^}]*)\}", CSS)[1]
    assert set(re.findall(r"--([a-z-]+):", dark)) == set(PALETTES["light"]) | {"shadow"}


def test_no_rule_names_a_colour_of_its_own() -> None:
    rules = re.sub(r":root\s*\{[^}]*\}", "", CSS)
    assert re.findall(r"#[0-9a-f]{3,8}\b|rgb\(", rules) == []


def test_black_on_white_has_the_greatest_contrast() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("fetching", ["url(", "@import", "@font-face", "javascript", "expression("])
def test_the_style_fetches_nothing(fetching: str) -> None:
    assert fetching not in CSS
