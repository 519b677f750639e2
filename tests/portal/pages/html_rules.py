"""What every page must obey: HTML without a parse error, and rules of accessibility (WCAG 2.2). A page has no fault, or
tells each in a sentence."""

import re
from collections.abc import Callable, Iterator
from xml.etree.ElementTree import Element

import html5lib

HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
UNLABELLED = {"hidden", "submit", "button"}
"""Types of inputs that need no label."""


def parsed(text: str) -> Element:
    """The page as a browser reads it. Raises html5lib's ParseError at the first error of syntax."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    page: Element = parser.parse(text)
    return page


def faults(text: str) -> list[str]:
    """What is wrong with a page."""
    page = parsed(text)
    return [fault for rule in RULES for fault in rule(page)]


def shown(element: Element) -> str:
    """The text of an element with its white space folded."""
    return " ".join("".join(element.itertext()).split())


def _language_and_title(page: Element) -> Iterator[str]:
    if page.get("lang") != "en":
        yield "The page does not say its language."
    title = page.find("head/title")
    if title is None or not shown(title):
        yield "The page has no title."


def _headings(page: Element) -> Iterator[str]:
    levels = [HEADINGS.index(element.tag) + 1 for element in page.iter() if element.tag in HEADINGS]
    if levels.count(1) != 1:
        yield f"There are {levels.count(1)} headings of the first level."
    for before, after in zip([0, *levels], levels, strict=False):
        if after > before + 1:
            yield f"A heading of level {after} follows one of level {before}."


def _labels(page: Element) -> Iterator[str]:
    named = {label.get("for") for label in page.iter("label")}
    for element in page.iter():
        is_field = element.tag in ("input", "select", "textarea", "meter") and element.get("type") not in UNLABELLED
        if is_field and element.get("id") not in named:
            yield f"{element.tag} {element.get('name')} has no label."
    for element in page.iter("fieldset"):
        if element.find("legend") is None:
            yield f"The fieldset {element.get('id')} has no legend."


def _names(page: Element) -> Iterator[str]:
    for element in page.iter():
        if element.tag in ("a", "button") and not (shown(element) or element.get("aria-label")):
            yield f"{element.tag} {element.get('href')} has no name."
        if element.get("role") in ("region", "img") and not (
            element.get("aria-label") or element.get("aria-labelledby")
        ):
            yield f"{element.tag} has a role and no name."


def _references(page: Element) -> Iterator[str]:
    ids = [element.get("id", "") for element in page.iter() if element.get("id")]
    yield from (f"The id {each} is there twice." for each in {each for each in ids if ids.count(each) > 1})
    for element in page.iter():
        wanted = [element.get("for", "")]
        for name in ("aria-describedby", "aria-labelledby"):
            wanted += element.get(name, "").split()
        href = element.get("href", "")
        wanted.append(href[1:] if href.startswith("#") else "")
        yield from (
            f"{element.tag} points to {each}, which is not there." for each in wanted if each and each not in ids
        )


def _errors(page: Element) -> Iterator[str]:
    for element in page.iter():
        if element.get("aria-invalid") == "true" and "-wrong" not in element.get("aria-describedby", ""):
            yield f"{element.get('id')} is wrong and does not say why."


def _tables(page: Element) -> Iterator[str]:
    for table in page.iter("table"):
        caption = table.find("caption")
        if caption is None or not shown(caption):
            yield "A table has no caption."
        for header in table.iter("th"):
            if header.get("scope") not in ("col", "row"):
                yield f"The header {shown(header)} does not say what it heads."
        for row in table.iterfind("tbody/tr"):
            if row.find("th") is None:
                yield "A row of a table has no header."


def _landmarks(page: Element) -> Iterator[str]:
    body = page.find("body")
    first = next(body.iter("a"), None) if body is not None else None
    if first is None or first.get("href") != "#content":
        yield "The first link does not lead to the content."
    if len(list(page.iter("main"))) != 1:
        yield "There is not one main part."
    for each in page.iter("nav"):
        if not each.get("aria-label"):
            yield "A nav has no name."


def _safety(page: Element) -> Iterator[str]:
    for element in page.iter():
        if element.tag in ("script", "iframe", "object", "embed", "style", "base", "img"):
            yield f"There is a {element.tag}."
        for name, value in element.attrib.items():
            if name.startswith("on") or name == "style":
                yield f"{element.tag} has the attribute {name}."
            if name in ("href", "action", "src") and not re.match(r"/(?!/)|#|\?|https?://", value):
                yield f"{element.tag} leads to {value}."
        away = element.tag == "a" and element.get("href", "").startswith("http")
        if away and element.get("rel") != "noopener noreferrer nofollow":
            yield f"The link to {element.get('href')} vouches for where it leads."


def _forms(page: Element) -> Iterator[str]:
    for form in page.iter("form"):
        fields = {element.get("name") for element in form.iter("input")}
        if form.get("method") == "post" and "csrf" not in fields:
            yield f"The form to {form.get('action')} has no token."
        if next(form.iter("button"), None) is None:
            yield f"The form to {form.get('action')} has no button."


RULES: tuple[Callable[[Element], Iterator[str]], ...] = (
    _language_and_title,
    _headings,
    _labels,
    _names,
    _references,
    _errors,
    _tables,
    _landmarks,
    _safety,
    _forms,
)
