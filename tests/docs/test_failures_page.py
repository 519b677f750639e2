"""The page about failures, and what the README takes from it: figures are the defaults, codes are codes."""

from dataclasses import fields

import pytest

from gateway.clients import posting
from gateway.clients.office import LEASED_FOR
from gateway.clients.options import Mail, Reconciling, Webhook
from gateway.clients.store.options import StoreOptions
from gateway.providers import KeyTimes, Limits, Transport
from gateway.run import BAD_SETTINGS
from gateway.settings.routes import UpstreamSettings
from gateway.workers import LONGEST_WAIT
from policies.rate_limit import RateLimit, redis_counters
from policies.token_enforcement.options import Patience
from tests.docs.codes import find_codes
from tests.docs.metrics import find_metrics
from tests.docs.pages import CHECKOUT, CODE, DOCS, prose, sentences

PAGE = DOCS / "failures.md"
UPSTREAM_FAILURES = UpstreamSettings.model_fields["failures"].default
NUMBERS = {2: "two", 3: "three", 5: "five", 10: "ten"}
OF_THE_STORE = {each.name: each.default for each in fields(StoreOptions)}

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
    f"`store.reread` ({OF_THE_STORE['reread']:g} seconds)",
    f"in the last {OF_THE_STORE['usage']:g} seconds (`store.usage`)",
    f"`redis_timeout` ({RateLimit().redis_timeout:g} seconds)",
    f"After {NUMBERS[redis_counters.FAILURES]} failures in a row Redis is left alone for "
    f"{NUMBERS[int(redis_counters.COOL_DOWN)]} seconds",
    f"Each is tried {Mail(host='localhost').attempts} times (`attempts`), within "
    f"{NUMBERS[int(posting.TRY_FOR / 60)]} minutes",
    f"{posting.ROOM:,} wait at most for mail",
    f"when the gateway ends have {posting.LINGER:g} seconds",
    f"worked on again after {NUMBERS[int(LEASED_FOR / 60)]} minutes",
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


def test_providers_are_compared_by_the_hour_and_webhooks_tried_as_often_as_mail() -> None:
    assert Reconciling().interval == 3600
    attempts = {each.name: each.default for each in fields(Webhook)}["attempts"]
    assert attempts == Mail(host="localhost").attempts


def test_keys_are_trusted_for_a_day() -> None:
    assert KeyTimes().max_age == 24 * 3600


def test_the_metrics_of_the_page_exist() -> None:
    named = {word.partition("{")[0] for word in CODE.findall(prose(PAGE)) if word.startswith("tokenward_")}
    assert named
    assert named <= {metric.name for metric in find_metrics()}


def test_the_codes_of_the_page_exist() -> None:
    starts = ("provider_", "upstream_", "internal_", "too_", "store_", "contracts_un")
    named = {word for word in CODE.findall(prose(PAGE)) if word.startswith(starts)}
    assert named
    assert named <= set(find_codes().problems)
