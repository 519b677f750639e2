"""The pages about providers: one for each preset, with what the preset knows, and with YAML that can be loaded."""

import pytest

from gateway.providers import Order
from gateway.providers.presets import PRESETS
from tests.docs.pages import DOCS, blocks, code, rows
from tests.docs.presets import preset_rows

PROVIDERS = DOCS / "providers"
INDEX = PROVIDERS / "README.md"


def test_each_preset_has_a_page_and_is_in_the_index() -> None:
    assert {page.stem for page in PROVIDERS.glob("*.md") if page != INDEX} == set(PRESETS)
    assert [code(row[0]) for row in rows(INDEX)] == list(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_page_says_what_the_preset_knows(name: str) -> None:
    assert rows(PROVIDERS / f"{name}.md", "What the preset knows") == preset_rows(name)


@pytest.mark.parametrize("name", PRESETS)
def test_a_page_shows_a_configuration_with_its_preset(name: str) -> None:
    texts = [block.text for block in blocks(PROVIDERS / f"{name}.md") if block.language == "yaml"]
    assert texts
    assert name == "generic" or f"preset: {name}" in texts[0]


@pytest.mark.parametrize("name", [name for name, it in PRESETS.items() if it.dialect.order is Order.KEYS_ONLY])
def test_a_provider_without_introspection_is_shown_with_an_audience(name: str) -> None:
    texts = [block.text for block in blocks(PROVIDERS / f"{name}.md") if block.language == "yaml"]
    assert all("audience:" in text for text in texts)
