"""What becomes of the tokens of a client that its provider deletes (RFC 7592), and of what is known of them here."""

from tests.idp import registrations
from tests.idp.capabilities import Can, over
from tests.idp.demo_provider import Demo
from tests.idp.gateway import ACCEPTED, INACTIVE, Protect
from tests.idp.provider import IdentityProvider


@over(Can.KEEP_TOKENS_OF_DELETED_CLIENTS)
async def test_deleting_a_client_does_not_end_its_tokens(provider: IdentityProvider, protect: Protect) -> None:
    registration = registrations.register(provider)
    token = provider.mint(client=registration.client)
    guard = await protect(provider, cache={"max_age": 0})
    assert await guard.verdict(token) == ACCEPTED
    assert registration.delete().status in {200, 204}
    assert await guard.verdict(token) == ACCEPTED
    assert await guard.introspections() == 2


async def test_deleting_a_client_ends_its_tokens_at_the_development_provider(demo: Demo, protect: Protect) -> None:
    registration = registrations.register(demo)
    token = demo.mint(client=registration.client)
    guard = await protect(demo, cache={"max_age": 0})
    assert await guard.verdict(token) == ACCEPTED
    assert registration.delete().status == 204
    assert await guard.verdict(token) == INACTIVE


@over()
async def test_a_purge_forgets_the_tokens_of_one_client_and_of_no_other(
    provider: IdentityProvider, protect: Protect
) -> None:
    registration = registrations.register(provider)
    theirs, others = provider.mint(client=registration.client), provider.mint()
    guard = await protect(provider)
    assert [await guard.verdict(token) for token in (theirs, others)] == [ACCEPTED] * 2
    provider.revoke(theirs, client=registration.client)
    provider.revoke(others)
    assert [await guard.verdict(token) for token in (theirs, others)] == [ACCEPTED] * 2
    assert await guard.operate("/-/purge", {"client_id": registration.client.client_id}) == {"purged": 1}
    assert [await guard.verdict(token) for token in (theirs, others)] == [INACTIVE, ACCEPTED]


@over()
async def test_a_purge_of_everything_has_every_token_asked_for_again(
    provider: IdentityProvider, protect: Protect
) -> None:
    tokens = [provider.mint(), provider.mint()]
    guard = await protect(provider)
    assert [await guard.verdict(token) for token in tokens] == [ACCEPTED] * 2
    for token in tokens:
        provider.revoke(token)
    assert await guard.operate("/-/purge") == {"purged": 2}
    assert [await guard.verdict(token) for token in tokens] == [INACTIVE] * 2
