"""The page about failures, and what the README takes from it: figures are the defaults, codes are codes."""

import pytest

from gateway.providers import KeyTimes, Limits, Transport
from gateway.run import BAD_SETTINGS
from gateway.settings.routes import UpstreamSettings
from gateway.workers import LONGEST_WAIT
from policies.token_enforcement.facts import Patience
from tests.docs.codes import find_codes
from tests.docs.metrics import find_metrics
from tests.docs.pages import CHECKOUT, CODE, DOCS, prose, sentences

PAGE = DOCS / "failures.md"
UPSTREAM_FAILURES = UpstreamSettings.model_fields["failures"].default
NUMBERS = {3: "three", 5: "five", 10: "ten"}

FIGURES = [
    f"for `cache.max_age` seconds ({Patience().max_age:g})",
    f"After {NUMBERS[Limits().failures]} failures in a row the provider is left alone for "
    f"{NUMBERS[int(Limits().cool_down)]} seconds",
    f"`transport.timeout` ({Transport().timeout:g} seconds)",
    f"At most `limits.concurrency` ({Limits().concurrency})",
    f"more than {Transport().max_bytes // 1024} KiB",
    f"once in `keys.cool_down` ({KeyTimes().cool_down:g} seconds)",
    f"`keys.refresh_after` ({KeyTimes().refresh_after / 60:g} minutes)",
    f"All its targets failed {NUMBERS[UPSTREAM_FAILURES]} times in a row",
    f"`tokenward run` ends with {BAD_SETTINGS}",
    f"up to every {NUMBERS[int(LONGEST_WAIT)]} seconds",
]
IN_THE_README = [
    f"The same after {Transport().timeout:g} seconds; after {NUMBERS[Limits().failures]} failures in a row, at once.",
    f"once in {KeyTimes().cool_down:g} seconds at most",
]


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_of_the_page_is_the_default(figure: str) -> None:
    assert figure in sentences(PAGE)


@pytest.mark.parametrize("figure", IN_THE_README)
def test_a_figure_of_the_readme_is_the_default(figure: str) -> None:
    assert figure in sentences(CHECKOUT / "README.md")


def test_keys_are_trusted_for_a_day() -> None:
    assert KeyTimes().max_age == 24 * 3600


def test_the_metrics_of_the_page_exist() -> None:
    named = {word.partition("{")[0] for word in CODE.findall(prose(PAGE)) if word.startswith("tokenward_")}
    assert named
    assert named <= {metric.name for metric in find_metrics()}


def test_the_codes_of_the_page_exist() -> None:
    starts = ("provider_", "upstream_", "internal_", "too_")
    named = {word for word in CODE.findall(prose(PAGE)) if word.startswith(starts)}
    assert named
    assert named <= set(find_codes().problems)
