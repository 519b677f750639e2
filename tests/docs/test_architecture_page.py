"""The page about the architecture has a place for every module, and no module that is gone."""

from tests.docs.pages import CHECKOUT, CODE, DOCS, rows, tables

PAGE = DOCS / "architecture.md"


def modules(package: str) -> set[str]:
    """The modules and packages directly inside a package."""
    folder = CHECKOUT / package.replace(".", "/")
    found = (path for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists())
    return {path.stem for path in found if path.stem != "__init__"}


def names(table: list[list[str]]) -> list[str]:
    return [name for row in table for name in CODE.findall(row[0])]


def test_the_page_has_a_place_for_every_module_of_the_gateway_and_of_the_policies() -> None:
    listed = [name for name in names(rows(PAGE, "Where things are")) if "." in name]
    there = {f"{package}.{name}" for package in ("gateway", "policies") for name in modules(package)}
    assert sorted(listed) == sorted(there)


def test_the_page_has_a_place_for_every_module_of_the_token_enforcement() -> None:
    assert sorted(names(tables(PAGE, "Policies")[1])) == sorted(modules("policies.token_enforcement"))
