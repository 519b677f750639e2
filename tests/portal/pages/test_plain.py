"""What people write can neither command a terminal, nor turn a page around, nor become a link of another kind."""

import pytest
from markupsafe import Markup

from gateway.portal.pages.plain import plain, safe_link


@pytest.mark.case("C301")
@pytest.mark.parametrize(
    "unseen", ["\x1b", "\x00", "\x08", "\x7f", "\x9b", "\u202e", "\u2066", "\u2069", "\ufffe", "\ud800"]
)
def test_an_unseen_command_is_replaced(unseen: str) -> None:
    assert plain(f"a{unseen}b") == "a\ufffdb"


@pytest.mark.parametrize("text", ["two\nlines\twith a tab", "été", "שלום\u200f", "\U0001f469\u200d\U0001f4bb"])
def test_what_names_and_texts_need_stays(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize("value", [None, 7, Markup("<b>\x1b</b>")])
def test_what_is_no_text_of_people_stays_as_it_is(value: object) -> None:
    assert plain(value) is value


@pytest.mark.parametrize("url", ["https://example.com", "http://127.0.0.1:8080/a?b=c#d", "https://[::1]/"])
def test_the_web_may_be_linked_to(url: str) -> None:
    assert safe_link(url) == url


@pytest.mark.case("C301")
@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html,x",
        "ftp://example.com",
        "//example.com",
        "/relative",
        "https:///path",
        "https://",
        "https:\\\\example.com",
        "https://user@example.com",
        "https://example.com@evil.example",
        " https://example.com",
        'https://example.com/"onclick=x',
        "https://example.com/\u202egnp",
        "https://[::1",
        "https://example.com/\x1b[31m",
    ],
)
def test_nothing_else_may(url: str | None) -> None:
    assert safe_link(url) is None
