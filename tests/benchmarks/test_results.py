"""Results that are kept in the repository."""

from pathlib import Path

import pytest

from benchmarks.record import read_record
from benchmarks.run import RESULTS, draw_results
from tests.docs.pages import CHECKOUT

FOLDERS = sorted(RESULTS.iterdir())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
@pytest.mark.parametrize("name", ["table.md", "chart.svg"])
def test_a_table_and_a_chart_say_what_was_measured(folder: Path, name: str, tmp_path: Path) -> None:
    """`python -m benchmarks --draw FOLDER` makes them anew where the drawing has changed."""
    draw_results(read_record(folder / "data.json"), tmp_path)
    assert (folder / name).read_text() == (tmp_path / name).read_text()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_no_gateway_is_compared_that_answered_wrong(folder: Path) -> None:
    assert [each for each in read_record(folder / "data.json").measured if each.sample.wrong] == []


def test_the_chart_of_the_readme_is_the_latest() -> None:
    assert f"({(FOLDERS[-1] / 'chart.svg').relative_to(CHECKOUT)})" in (CHECKOUT / "README.md").read_text()
