"""The rules that pages are held against find what they are made for."""

import pytest
from html5lib.html5parser import ParseError

from tests.portal.pages.html_rules import faults

PAGE = (
    '<!doctype html><html lang="en"><head><title>t</title></head><body><a href="#content">Skip</a>'
    '<main id="content"><h1>One</h1>{}</main></body></html>'
)


def test_a_good_page_has_no_fault() -> None:
    assert (
        faults(
            PAGE.format(
                '<form method="get" action="/"><label for="a">A</label><input id="a"><button>Go</button></form>'
            )
        )
        == []
    )


@pytest.mark.parametrize(
    ("markup", "fault"),
    [
        ("<h1>Two</h1>", "2 headings"),
        ("<h3>Three</h3>", "level 3 follows one of level 1"),
        ('<input name="a">', "no label"),
        ("<fieldset></fieldset>", "no legend"),
        ('<a href="/"></a>', "no name"),
        ('<p role="region"></p>', "role and no name"),
        ('<p id="a"></p><p id="a"></p>', "twice"),
        ('<a href="#a">A</a>', "not there"),
        ('<input type="hidden" aria-describedby="a">', "not there"),
        ('<input type="hidden" id="a" aria-invalid="true">', "does not say why"),
        ("<table><tbody><tr><th scope=row>a</th></tr></tbody></table>", "no caption"),
        ("<table><caption>c</caption><tbody><tr><th>a</th></tr></tbody></table>", "what it heads"),
        ("<table><caption>c</caption><tbody><tr><td>a</td></tr></tbody></table>", "has no header"),
        ("<main></main>", "not one main"),
        ("<nav></nav>", "nav has no name"),
        ("<script></script>", "script"),
        ('<p onclick="x">a</p>', "onclick"),
        ('<p style="color: red">a</p>', "style"),
        ('<a href="javascript:x">a</a>', "leads to javascript"),
        ('<a href="//evil.example">a</a>', "leads to //evil"),
        ('<a href="https://evil.example">a</a>', "vouches"),
        ('<form method="post"><button>a</button></form>', "no token"),
        ('<form method="get"></form>', "no button"),
    ],
)
def test_each_rule_finds_its_fault(markup: str, fault: str) -> None:
    assert any(fault in found for found in faults(PAGE.format(markup)))


def test_a_page_without_a_language_is_found() -> None:
    assert "The page does not say its language." in faults(PAGE.format("").replace(' lang="en"', ""))


@pytest.mark.parametrize("markup", ["<p>\x1b</p>", "</b>", "<p a a>", "<b><i></b></i>", "<p>&nosuch;</p>"])
def test_errors_of_syntax_are_found(markup: str) -> None:
    with pytest.raises(ParseError):
        faults(PAGE.format(markup))
