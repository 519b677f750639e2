"""Registration, tried out: what works, what does not, what to write; and nothing is left behind."""

import asyncio
import io
from typing import Any

import pytest

from gateway.clock import SystemClock
from gateway.doctor import Extent, as_json, as_text, examine
from tests.doctor.examining import CLIENT, SECRET, described, examined, settings
from tests.doctor.registering import Registering, configured, not_well, registering, report_on, told

INVALID: dict[str, Any] = {"error": "invalid_client_metadata", "error_description": "No such thing"}
OWN = {"client": {"client_id": CLIENT, "client_secret": SECRET}, "scopes": ["read"]}


async def test_a_client_lives_its_whole_life_and_leaves_nothing() -> None:
    async with registering() as provider:
        report = await report_on(provider)
        assert not_well(report) == []
        assert list(told(report)) == ["registration", "management", "its token", "delete", "afterwards"]
        assert told(report)["management"].seen == "It can be read and changed there."
        assert told(report)["its token"].seen == (
            "It introspects as active; client_id names the client, scope is read, aud is none."
        )
        assert provider.clients == {}
        assert [wish["client_name"] for wish in provider.wishes] == ["Tokenward doctor (temporary)"]


async def test_nothing_is_registered_without_registration() -> None:
    async with registering() as provider:
        extent = Extent(registers=False)
        report = await examine(configured(provider.issuer), SystemClock(), io.StringIO(), extent)
        assert (told(report), provider.wishes) == ({}, [])


async def test_nothing_is_registered_that_the_configuration_says_not_to_delete() -> None:
    async with registering() as provider:
        report = await report_on(provider, {"delete": False})
        assert (not_well(report), provider.wishes) == ([("registration", "skipped")], [])


async def test_no_secret_of_the_new_client_is_told() -> None:
    async with registering() as provider:
        seen: dict[str, Any] = {}
        provider.clients = Kept(seen)
        provider.claims = {"scope": "x", "aud": ["echo"]}
        report = await report_on(provider)
        shown = as_text(report) + as_json(report) + repr(report)
        kept = [seen[name] for name in ("client_secret", "registration_access_token")] + list(provider.tokens)
        assert [secret for secret in kept if secret in shown] == []


class Kept(dict[str, Any]):
    """Clients; what the last of them was is kept in another place as well."""

    def __init__(self, seen: dict[str, Any]) -> None:
        super().__init__()
        self._seen = seen

    def __setitem__(self, key: str, value: Any) -> None:
        self._seen.update(value)
        super().__setitem__(key, value)


# What opens registration.


@pytest.mark.parametrize(
    ("registration", "said", "advice"),
    [
        ({}, "it is not open to everybody", "Write registration.initial_access_token"),
        ({"initial_access_token": "t" * 20}, "to registration.initial_access_token", "get a new one"),
        ({"authorization": "SSWS 00abcdefghij"}, "to the header of registration.authorization", "get a new one"),
        (OWN, "to the access token of registration.client", "dynamic_client_registration"),
    ],
    ids=["nothing", "an initial access token", "a header", "a client"],
)
async def test_a_refusal_says_what_was_shown_and_what_to_write(
    registration: dict[str, Any], said: str, advice: str
) -> None:
    async with registering(on_register=(401, {"error": "invalid_token"})) as provider:
        report = await report_on(provider, registration)
    finding = told(report)["registration"]
    assert finding.result == "failure"
    assert f"/register answered 401 invalid_token{':' if not registration else ''} {said}" in finding.seen
    assert advice in finding.advice
    assert "00abcdefghij" not in as_text(report)


async def test_who_is_known_and_not_allowed_is_told_so() -> None:
    async with registering(on_register=(403, {})) as provider:
        report = await report_on(provider, OWN)
    assert told(report)["registration"].advice.startswith("It is known who asks: give that one the permission")


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        ((404, {}), "Write endpoints.registration: its URL; or leave registration out"),
        ((405, {}), "Write endpoints.registration: its URL; or leave registration out"),
        ((500, {}), "The provider fails"),
        ((429, {}), "The provider fails"),
        ((200, {"hello": "world"}), "Look there for what it registered"),
        ((400, INVALID), "Look at what the provider's policy for registration allows"),
    ],
)
async def test_other_answers_have_their_advice(answer: tuple[int, dict[str, Any]], advice: str) -> None:
    async with registering(on_register=answer) as provider:
        report = await report_on(provider)
    assert told(report)["registration"].result == "failure"
    assert advice in told(report)["registration"].advice


async def test_a_provider_without_a_registration_endpoint() -> None:
    async with registering(metadata={"registration_endpoint": None}) as provider:
        report = await report_on(provider)
    finding = told(report)["registration"]
    assert finding.seen == "The provider names no registration endpoint, and none is configured."
    assert finding.advice == "Write endpoints.registration: its URL; or leave registration out, if it registers nobody."


async def test_a_provider_that_is_out_of_reach_is_told_of_once() -> None:
    async with registering() as provider:
        issuer = provider.issuer
    report = await examined(settings(described(issuer, registration={}), upstream=issuer))
    assert not_well(report) == [("registration", "skipped")]


# Our own client, whose token opens registration.


async def test_our_own_client_gets_its_token() -> None:
    async with registering() as provider:
        report = await report_on(provider, OWN)
        assert provider.headers[0].removeprefix("Bearer ") in provider.tokens
    assert told(report)["authorization"].seen == (
        "Our client gateway gets a token for registration, with scopes: read."
    )
    assert not_well(report) == []


async def test_our_own_client_with_a_wrong_secret() -> None:
    wrong = {**OWN, "client": {"client_id": "gateway", "client_secret": "not-the-secret-at-all"}}
    async with registering() as provider:
        report = await report_on(provider, wrong)
        assert provider.wishes == []
    assert list(told(report)) == ["authorization"]
    assert told(report)["authorization"].advice == (
        "Correct registration.client.client_id, registration.client.client_secret, registration.client.authentication."
    )


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("invalid_scope", "Allow our client registrar the scopes of registration.scopes, or correct them."),
        ("unauthorized_client", "Allow our client registrar the grant client_credentials at the provider."),
        ("unsupported_grant_type", "The provider has no client_credentials: write registration.initial_access_token"),
    ],
)
async def test_a_token_endpoint_that_refuses_our_own_client(error: str, advice: str) -> None:
    async with registering(on_token=(400, {"error": error})) as provider:
        provider.clients["registrar"] = {"client_secret": SECRET}
        report = await report_on(provider, {**OWN, "client": {"client_id": "registrar", "client_secret": SECRET}})
    assert told(report)["authorization"].advice.startswith(advice)


async def test_a_scope_that_our_own_client_is_not_granted() -> None:
    async with registering(on_token=(200, {"access_token": "abc", "scope": "other"})) as provider:
        provider.clients["registrar"] = {"client_secret": SECRET}
        report = await report_on(provider, {**OWN, "client": {"client_id": "registrar", "client_secret": SECRET}})
    assert told(report)["authorization"].seen == (
        "Our client registrar gets a token for registration, with scopes: other; not read."
    )


# What the provider takes.


async def test_a_provider_that_wants_a_redirect_uri_of_everybody() -> None:
    async with registering() as provider:
        provider.clients = Picky(provider, "redirect_uris")
        report = await report_on(provider)
    assert not_well(report) == [("redirect URI", "warning")]


async def test_a_provider_that_does_not_know_the_scopes_of_the_routes() -> None:
    async with registering() as provider:
        provider.clients = Picky(provider, "scope")
        report = await report_on(provider)
    assert not_well(report) == [("scopes", "failure")]
    assert "(read): The identity provider does not take it: No such thing." in told(report)["scopes"].seen


class Picky(dict[str, Any]):
    """Clients; the provider refuses the next one as long as that member is not as it wants it."""

    def __init__(self, provider: Registering, member: str) -> None:
        super().__init__()
        self._provider = provider
        self._member = member
        provider.registering = Watched(self.look)

    def look(self) -> None:
        wish = self._provider.wishes[-1]
        taken = "scope" not in wish if self._member == "scope" else bool(wish.get("redirect_uris"))
        self._provider.on_register = None if taken else (400, INVALID)


class Watched(asyncio.Event):
    """Tells when it is set."""

    def __init__(self, tell: Any) -> None:
        super().__init__()
        self._tell = tell

    def set(self) -> None:
        self._tell()
        super().set()


async def test_a_client_that_is_other_than_asked_for_is_told_of() -> None:
    async with registering(added={"scope": "write", "grant_types": ["authorization_code"]}) as provider:
        report = await report_on(provider)
    assert told(report)["record"].seen == "It was registered otherwise than asked for: grant_types, scope."


# Its token.


async def test_a_token_endpoint_that_refuses_the_new_client() -> None:
    async with registering(on_token=(400, {"error": "unauthorized_client"})) as provider:
        report = await report_on(provider)
        assert provider.clients == {}
    finding = told(report)["its token"]
    assert finding.result == "failure"
    assert "answered 400 unauthorized_client to client_credentials" in finding.seen
    assert "take client_credentials out of registration.grant_types" in finding.advice


async def test_a_token_that_our_client_may_not_introspect() -> None:
    async with registering(on_introspect=(200, {"active": False})) as provider:
        report = await report_on(provider)
    assert told(report)["its token"].advice.startswith("At the provider, let our client gateway introspect")


async def test_a_token_that_names_its_client_elsewhere() -> None:
    claims = {"active": True, "token_type": "Bearer", "scope": "read", "azp": "new-1", "client_id": "an-alias"}
    async with registering(on_introspect=(200, claims)) as provider:
        report = await report_on(provider)
    assert told(report)["client_id"].advice == "Write dialect.client_id: [azp, client_id]"


async def test_people_only() -> None:
    async with registering() as provider:
        report = await report_on(provider, {"grant_types": ["authorization_code"]})
        assert provider.clients == {}
        assert provider.wishes[0]["redirect_uris"] == ["https://doctor.invalid/nobody-is-here"]
    assert not_well(report) == [("its token", "skipped")]


# Its end.


async def test_tokens_that_outlive_their_client_are_told_of_and_no_failure() -> None:
    async with registering() as provider:
        outliving = await report_on(provider)
        provider.ends_tokens = True
        ended = await report_on(provider)
    assert told(outliving)["afterwards"].result == "ok"
    assert "Tokenward blocks the clients that it deletes" in told(outliving)["afterwards"].seen
    assert told(ended)["afterwards"].seen == "With the client, the provider ended its token."


async def test_a_client_that_gets_tokens_after_its_end() -> None:
    async with registering(keeps_secrets=True) as provider:
        report = await report_on(provider)
    assert told(report)["afterwards"].seen == "The client was deleted, and still gets tokens."


async def test_a_deletion_that_fails_once_is_asked_for_again() -> None:
    async with registering(on_delete=[(503, {})]) as provider:
        report = await report_on(provider)
        assert (not_well(report), provider.clients) == ([], {})


@pytest.mark.parametrize("status", [500, 503])
async def test_a_client_that_cannot_be_deleted_is_named(status: int) -> None:
    async with registering(on_delete=[(status, {})] * 2) as provider:
        report = await report_on(provider)
    finding = told(report)["delete"]
    assert finding.result == "failure"
    assert finding.seen.startswith("The client new-1 is still at the provider: ")
    assert finding.advice == "Delete that client there by hand: it is of no use."


async def test_a_provider_that_lets_nobody_delete_is_warned_of() -> None:
    async with registering(on_delete=[(405, {})]) as provider:
        report = await report_on(provider)
    assert (told(report)["delete"].result, report.healthy) == ("warning", True)
    assert "write registration.delete: false" in told(report)["delete"].advice


async def test_a_provider_without_management() -> None:
    async with registering(added={"registration_client_uri": None}) as provider:
        report = await report_on(provider)
        assert list(provider.clients) == ["new-1"]
    assert not_well(report) == [("management", "warning"), ("delete", "warning")]
    assert "named no registration_client_uri" in told(report)["management"].seen
    assert "The client new-1 is still at the provider" in told(report)["delete"].seen


@pytest.mark.parametrize("step", ["on_read", "on_update", "on_token", "on_introspect"])
async def test_whichever_step_fails_the_client_is_deleted(step: str) -> None:
    async with registering(**{step: (500, {})}) as provider:
        report = await report_on(provider)
        assert len(not_well(report)) == 1
        assert provider.clients == {}


async def test_an_answer_that_is_no_clients_and_names_one_is_told_of() -> None:
    answer = (201, {"client_id": "half", "client_secret": 7})
    async with registering(on_register=answer) as provider:
        report = await report_on(provider)
    assert told(report)["delete"].seen.startswith("The client half is still at the provider")


# Somebody interrupts it.


async def interrupted(provider: Registering, progress: io.StringIO) -> None:
    examining = asyncio.ensure_future(examine(configured(provider.issuer), SystemClock(), progress))
    await provider.registering.wait()
    examining.cancel()
    # All other checks have ended meanwhile, and this one is waited for.
    await asyncio.wait({examining}, timeout=0.2)
    assert not examining.done()
    provider.may_answer.set()
    with pytest.raises(asyncio.CancelledError):
        await examining


async def test_who_interrupts_it_while_a_client_is_registered_leaves_none() -> None:
    async with registering() as provider:
        provider.may_answer.clear()
        progress = io.StringIO()
        await interrupted(provider, progress)
        assert len(provider.wishes) == 1
        assert (provider.clients, progress.getvalue()) == ({}, "")


async def test_who_interrupts_it_and_leaves_a_client_is_told_which() -> None:
    async with registering(on_delete=[(503, {})] * 2) as provider:
        provider.may_answer.clear()
        progress = io.StringIO()
        await interrupted(provider, progress)
        assert list(provider.clients) == ["new-1"]
        assert progress.getvalue().startswith("The client new-1 is still at the provider")
