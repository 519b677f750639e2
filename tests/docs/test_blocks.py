"""Every fenced block of the documentation is proven here or in a test of its page, by its language."""

import json
from pathlib import Path

import pytest

from gateway.answers import refuse
from gateway.policy import Deny
from tests.docs.configurations import load
from tests.docs.pages import DOCS, Block, all_blocks, blocks, pages

PROVEN = {
    "yaml": "test_a_configuration_can_be_loaded",
    "json": "test_json_can_be_read",
    "python": "tests/docs/test_policy_page.py",
    "console": "tests/docs/test_commands.py",
    "ini": "tests/docs/test_operations_page.py",
    "toml": "tests/docs/test_policy_page.py",
    "mermaid": "a picture: there is nothing to run",
    "text": "a picture: there is nothing to run",
}
MANIFESTS = "apiVersion:"
"""Begins a manifest for Kubernetes, which is no configuration of ours: tests/docs/test_readme.py reads those."""


def configurations() -> list[Block]:
    return [block for block in all_blocks("yaml") if not block.text.startswith(MANIFESTS)]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_block_has_a_language_that_somebody_proves(page: Path) -> None:
    assert [block.place for block in blocks(page) if block.language not in PROVEN] == []


@pytest.mark.parametrize("block", configurations(), ids=lambda block: block.place)
def test_a_configuration_can_be_loaded(block: Block, tmp_path: Path) -> None:
    assert load(block.text, tmp_path).version == 1


@pytest.mark.parametrize("block", all_blocks("json"), ids=lambda block: block.place)
def test_json_can_be_read(block: Block) -> None:
    assert json.loads(block.text)


def test_the_problem_document_of_the_index_is_the_one_that_is_sent() -> None:
    (block,) = (block for block in blocks(DOCS / "problems/README.md") if block.language == "json")
    shown = json.loads(block.text)
    deny = Deny(401, "token_expired", "The token has expired.", error="invalid_token")
    answer = refuse(deny, request_id=shown["instance"], base="urn:tokenward:problem:", method="GET")
    assert list(json.loads(answer.body).items()) == list(shown.items())
