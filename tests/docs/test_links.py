"""Links of the documentation lead somewhere."""

from pathlib import Path

import pytest

from tests.docs.pages import CHECKOUT, DOCS, anchors, links, pages


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(CHECKOUT).as_posix())
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    assert [link for link in links(page) if not leads_somewhere(page, link)] == []


def test_every_page_can_be_reached_from_the_index() -> None:
    reached, due = set(), [DOCS / "README.md"]
    while due:
        page = due.pop()
        if page not in reached:
            reached.add(page)
            due.extend(target for link in links(page) if (target := aim(page, link)).suffix == ".md" and inside(target))
    assert set(pages()) - reached == {CHECKOUT / "README.md"}


def leads_somewhere(page: Path, link: str) -> bool:
    if link.startswith("https://"):
        return True  # of the outside, only that it is not in the clear
    anchor = link.partition("#")[2]
    target = aim(page, link)
    return target.exists() and (not anchor or anchor in anchors(target))


def aim(page: Path, link: str) -> Path:
    """The file that a link names; a link to an anchor alone stays on its page."""
    path = link.partition("#")[0]
    return (page.parent / path).resolve() if path else page


def inside(page: Path) -> bool:
    return page.is_relative_to(DOCS) and page.exists()
