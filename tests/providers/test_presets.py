"""The presets: each yields a provider that can be asked, and none loosens a rule by accident."""

from dataclasses import asdict
from urllib.parse import urlsplit

import pytest

from gateway.providers import Dialect, Endpoints, Order
from gateway.providers.presets import PRESETS, Preset
from gateway.providers.urls import url_fault

ALL = pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)


def templates(preset: Preset) -> dict[str, str]:
    return {name: template for name, template in asdict(preset.endpoints).items() if template is not None}


def filled(preset: Preset, name: str) -> str:
    parts = urlsplit(preset.issuer)
    return templates(preset)[name].format(
        issuer=preset.issuer.removesuffix("/"), origin=f"{parts.scheme}://{parts.netloc}"
    )


@ALL
def test_the_issuer_that_is_shown_is_a_good_one(preset: Preset) -> None:
    assert url_fault(preset.issuer) is None


@ALL
def test_every_endpoint_belongs_to_the_issuer(preset: Preset) -> None:
    for name in templates(preset):
        url = filled(preset, name)
        assert url_fault(url) is None
        assert urlsplit(url).netloc == urlsplit(preset.issuer).netloc
        assert "//" not in urlsplit(url).path


@ALL
def test_what_is_not_discovered_is_complete(preset: Preset) -> None:
    if not preset.discovers:
        assert set(templates(preset)) == set(asdict(Endpoints()))


@ALL
def test_a_provider_without_introspection_is_not_asked_for_it(preset: Preset) -> None:
    assert preset.dialect.introspects_jwts or preset.dialect.order is Order.KEYS_ONLY


@ALL
def test_a_refresh_token_is_no_access_token_anywhere(preset: Preset) -> None:
    assert preset.dialect.requires_token_type
    assert not any("refresh" in kind or kind == "id" for kind in preset.dialect.access_token_types)


@ALL
def test_types_are_compared_in_lower_case(preset: Preset) -> None:
    for kind in preset.dialect.access_token_types | preset.dialect.jwt_types:
        assert kind == kind.lower().removeprefix("application/")


@ALL
def test_every_dialect_names_a_client_a_subject_and_a_scope(preset: Preset) -> None:
    dialect = preset.dialect
    for names in (dialect.client_id, dialect.subject, dialect.scope, dialect.token_type):
        assert names
        assert all(names)
        assert len(set(names)) == len(names)


@ALL
def test_a_summary_is_one_line_without_a_full_stop(preset: Preset) -> None:
    assert preset.summary
    assert "\n" not in preset.summary
    assert not preset.summary.endswith(".")


def test_the_generic_preset_is_the_standards() -> None:
    assert PRESETS["generic"].dialect == Dialect()
    assert PRESETS["generic"].endpoints == Endpoints()
    assert PRESETS["generic"].discovers


def test_there_are_the_presets_that_the_documentation_names() -> None:
    assert set(PRESETS) == {
        "generic", "okta", "openam", "keycloak", "entra", "pingfederate", "salesforce", "auth0",
    }  # fmt: skip
