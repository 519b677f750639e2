"""The real identity providers as pytest fixtures: each is started once for the whole run."""

import os
from collections.abc import Callable, Iterator

import pytest

from tests.idp import glewlwyd as glewlwyd_server
from tests.idp import oidc_provider as oidc_provider_server
from tests.idp.glewlwyd import Glewlwyd
from tests.idp.oidc_provider import OidcProvider

INITIAL_ACCESS_TOKEN = "an-initial-access-token"
"""What opens registration at `guarded_oidc_provider`."""
MISSING: dict[str, Callable[[], str | None]] = {
    "oidc_provider": oidc_provider_server.missing,
    "guarded_oidc_provider": oidc_provider_server.missing,
    "glewlwyd": glewlwyd_server.missing,
}


@pytest.fixture(scope="session")
def oidc_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcProvider]:
    """A running oidc-provider (Node.js)."""
    demand("oidc_provider")
    with oidc_provider_server.start(tmp_path_factory.mktemp("oidc-provider")) as provider:
        yield provider


@pytest.fixture(scope="session")
def guarded_oidc_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcProvider]:
    """A running oidc-provider where nobody registers without `INITIAL_ACCESS_TOKEN`."""
    demand("guarded_oidc_provider")
    folder = tmp_path_factory.mktemp("guarded-oidc-provider")
    with oidc_provider_server.start(folder, initial_access_token=INITIAL_ACCESS_TOKEN) as provider:
        yield provider


@pytest.fixture(scope="session")
def glewlwyd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Glewlwyd]:
    """A running glewlwyd."""
    demand("glewlwyd")
    with glewlwyd_server.start(tmp_path_factory.mktemp("glewlwyd")) as provider:
        yield provider


def demand(server: str) -> None:
    """Skip the test when the server is not installed; fail it where the server must be."""
    reason = MISSING[server]()
    if reason and must_be_here():
        pytest.fail(f"{reason}, and TOKENWARD_REQUIRE_SERVERS is set", pytrace=False)
    if reason:
        pytest.skip(reason)


def must_be_here() -> bool:
    """Whether a missing server is a failure: the gate says so."""
    return os.environ.get("TOKENWARD_REQUIRE_SERVERS") == "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what cannot run as skipped already now, so that it counts as no proof of a case."""
    absent = {server: reason for server, look in MISSING.items() if (reason := look())}
    for item in items if absent and not must_be_here() else []:
        for server in absent.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.skip(reason=absent[server]))
