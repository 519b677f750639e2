"""What opens registration to us, at a server shaped like OpenAM's."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from gateway.clients import mistakes
from gateway.clients.registration.opening import LONGEST_LIFETIME
from gateway.clients.registration.registrar import Registrar
from gateway.policy import Unavailable
from gateway.ports import Reply
from gateway.providers import ClientAuthentication, ClientCredentials
from gateway.providers.registration import Registration
from gateway.tasks import Tasks
from tests.clients.openam import LIFETIME, SCOPE, OpenAM, openam
from tests.clients.registration.opened import MACHINE, provider_at, registering
from tests.fakes import Asked, FakeClock, FakeFetch, json_reply

TOKEN_URL = "https://idp.example.com/token"
ENDPOINT = "https://idp.example.com/register"
GATEWAY = ClientCredentials(client_id="gateway", client_secret=SecretStr("gateway-secret"))
OWN_TOKEN = Registration(client=GATEWAY, scopes=(SCOPE,))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def there(clock: FakeClock) -> AsyncIterator[OpenAM]:
    async with openam(clock) as realm:
        yield realm


async def register(there: OpenAM, registration: Registration, clock: FakeClock, times: int = 1) -> None:
    provider = provider_at(there.registration, token=there.token_endpoint)
    async with registering(provider, registration, clock) as registrar:
        for number in range(times):
            await registrar.register(MACHINE, f"id-{number}")


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


@pytest.mark.parametrize(
    "authentication", [ClientAuthentication.CLIENT_SECRET_BASIC, ClientAuthentication.CLIENT_SECRET_POST]
)
async def test_a_token_of_our_own_opens_registration(
    there: OpenAM, clock: FakeClock, authentication: ClientAuthentication
) -> None:
    client = ClientCredentials(
        authentication=authentication, client_id="gateway", client_secret=SecretStr("gateway-secret")
    )
    await register(there, Registration(client=client, scopes=(SCOPE,)), clock)
    assert len(there.clients) == 1


async def test_our_client_may_prove_itself_by_its_key(there: OpenAM, clock: FakeClock, key: RSAPrivateKey) -> None:
    there.keys["manager"] = key.public_key()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    client = ClientCredentials(
        authentication=ClientAuthentication.PRIVATE_KEY_JWT, client_id="manager", private_key=SecretStr(pem)
    )
    await register(there, Registration(client=client, scopes=(SCOPE,)), clock)
    assert len(there.clients) == 1


async def test_a_header_or_an_initial_access_token_opens_registration(there: OpenAM, clock: FakeClock) -> None:
    token = there.issue()
    await register(there, Registration(authorization=SecretStr(f"Bearer {token}")), clock)
    await register(there, Registration(initial_access_token=SecretStr(token)), clock)
    assert len(there.clients) == 2


async def test_our_token_is_kept_until_it_expires(there: OpenAM, clock: FakeClock) -> None:
    provider = provider_at(there.registration, token=there.token_endpoint)
    async with registering(provider, OWN_TOKEN, clock) as registrar:
        for _ in range(3):
            await registrar.register(MACHINE, "id-7")
        assert there.given == 1
        clock.move(LIFETIME)
        await registrar.register(MACHINE, "id-7")
    assert (there.given, there.registered) == (2, 4)


async def test_our_token_is_asked_anew_once_when_it_is_refused(there: OpenAM, clock: FakeClock) -> None:
    provider = provider_at(there.registration, token=there.token_endpoint)
    async with registering(provider, OWN_TOKEN, clock) as registrar:
        await registrar.register(MACHINE, "id-7")
        there.revoke_all()
        await registrar.register(MACHINE, "id-8")
    assert (there.given, len(there.clients), there.registered) == (2, 2, 3)


async def test_many_who_register_at_once_ask_for_one_token(there: OpenAM, clock: FakeClock) -> None:
    provider = provider_at(there.registration, token=there.token_endpoint)
    async with registering(provider, OWN_TOKEN, clock) as registrar:
        await asyncio.gather(*(registrar.register(MACHINE, f"id-{number}") for number in range(5)))
    assert there.given == 1


@pytest.mark.case("C290")
@pytest.mark.parametrize("whose", ["nobody", "expired", "foreign"])
async def test_without_a_good_token_nothing_is_registered(there: OpenAM, clock: FakeClock, whose: str) -> None:
    async with openam(clock) as another:
        tokens = {"nobody": None, "expired": SecretStr(there.issue()), "foreign": SecretStr(another.issue())}
        clock.move(LIFETIME if whose == "expired" else 0)
        with pytest.raises(Unavailable) as failed:
            await register(there, Registration(initial_access_token=tokens[whose]), clock)
    assert failed.value.code == "registration_refused"
    assert "authorization for registration is missing, has expired, is another" in failed.value.detail
    assert (there.registered, there.clients) == (1, {})


@pytest.mark.case("C290")
@pytest.mark.parametrize("secret", ["wrong", "gateway-secret "])
async def test_a_client_of_ours_that_is_not_known_is_a_matter_for_the_operator(
    there: OpenAM, clock: FakeClock, secret: str
) -> None:
    client = ClientCredentials(client_id="gateway", client_secret=SecretStr(secret))
    with pytest.raises(Unavailable) as failed:
        await register(there, Registration(client=client, scopes=(SCOPE,)), clock)
    assert failed.value.code == "registration_refused"
    assert secret not in failed.value.detail
    assert there.registered == 0


async def test_the_life_of_a_client_needs_its_own_token_only(there: OpenAM, clock: FakeClock) -> None:
    provider = provider_at(there.registration, token=there.token_endpoint)
    async with registering(provider, OWN_TOKEN, clock) as registrar:
        registered = await registrar.register(MACHINE, "id-7")
        there.revoke_all()
        there.secrets.clear()
        read = await registrar.read(registered)
        assert read is not None
        assert read.reply == registered.reply
        with pytest.raises(mistakes.Conflict) as kept:
            await registrar.rotate(read, MACHINE)
        assert kept.value.code == "cannot_rotate"
        await registrar.delete(read)
        assert await registrar.read(read) is None
    assert there.clients == {}


def test_credentials_that_do_not_suffice_are_told_at_once() -> None:
    client = ClientCredentials(authentication=ClientAuthentication.PRIVATE_KEY_JWT, client_id="gateway")
    with pytest.raises(ValueError, match="private_key"):
        Registrar(provider_at(ENDPOINT), Registration(client=client), FakeFetch(), FakeClock(), Tasks())


async def given(answer: Reply, clock: FakeClock) -> tuple[Registrar, FakeFetch]:
    """A registrar whose token endpoint answers so; registration takes whoever comes."""
    fetch = FakeFetch()
    fetch.answers[TOKEN_URL] = answer
    fetch.answers[ENDPOINT] = json_reply({"client_id": "shop-7", "client_secret": "s3cret"}, 201)
    provider = provider_at(ENDPOINT, token=TOKEN_URL)
    return Registrar(provider, OWN_TOKEN, fetch, clock, Tasks()), fetch


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (json_reply({"error": "invalid_client"}, 401), "registration_refused"),
        (json_reply({"error": "invalid_scope"}, 400), "registration_refused"),
        (json_reply({}, 500), "registration_failed"),
        (json_reply({"access_token": "a"}, 302), "registration_failed"),
        (json_reply({}), "registration_failed"),
        (json_reply([]), "registration_failed"),
        (json_reply({"access_token": 7}), "registration_failed"),
        (json_reply({"access_token": "a\r\nX: y"}), "registration_failed"),
        (json_reply({"access_token": ""}), "registration_failed"),
    ],
)
async def test_no_token_no_registration(clock: FakeClock, answer: Reply, code: str) -> None:
    registrar, fetch = await given(answer, clock)
    with pytest.raises(Unavailable) as failed:
        await registrar.register(MACHINE, "id-7")
    assert failed.value.code == code
    assert fetch.times(ENDPOINT) == 0


@pytest.mark.parametrize(
    ("expires_in", "good_for"),
    [(300, 290), (None, 50), ("300", 50), (-1, 50), (10**9, LONGEST_LIFETIME - 10), (5, 0), (True, 0)],
)
async def test_how_long_our_token_is_used(clock: FakeClock, expires_in: object, good_for: float) -> None:
    said = {} if expires_in is None else {"expires_in": expires_in}
    registrar, fetch = await given(json_reply({"access_token": "at", **said}), clock)
    await registrar.register(MACHINE, "id-7")
    clock.move(max(good_for - 1, 0))
    await registrar.register(MACHINE, "id-8")
    assert fetch.times(TOKEN_URL) == (1 if good_for else 2)
    clock.move(1)
    await registrar.register(MACHINE, "id-9")
    assert fetch.times(TOKEN_URL) == (2 if good_for else 3)


async def test_a_provider_that_always_refuses_is_asked_twice_and_no_more(clock: FakeClock) -> None:
    registrar, fetch = await given(json_reply({"access_token": "at", "expires_in": 300}), clock)
    fetch.answers[ENDPOINT] = json_reply({"error": "invalid_token"}, 401)
    with pytest.raises(Unavailable) as failed:
        await registrar.register(MACHINE, "id-7")
    assert failed.value.code == "registration_refused"
    assert (fetch.times(ENDPOINT), fetch.times(TOKEN_URL)) == (2, 2)


async def test_a_fixed_header_that_is_refused_is_not_tried_again(clock: FakeClock) -> None:
    fetch = FakeFetch()
    fetch.answers[ENDPOINT] = json_reply({"error": "invalid_token"}, 401)
    registration = Registration(initial_access_token=SecretStr("iat"))
    registrar = Registrar(provider_at(ENDPOINT), registration, fetch, clock, Tasks())
    with pytest.raises(Unavailable):
        await registrar.register(MACHINE, "id-7")
    assert [asked.headers["Authorization"] for asked in fetch.asked] == ["Bearer iat"]


async def test_nothing_is_shown_where_registration_is_open(clock: FakeClock) -> None:
    fetch = FakeFetch()

    def answer(asked: Asked) -> Reply:
        assert "Authorization" not in asked.headers
        return json_reply({"client_id": "shop-7"}, 201)

    fetch.answers[ENDPOINT] = answer
    registrar = Registrar(provider_at(ENDPOINT), Registration(), fetch, clock, Tasks())
    assert (await registrar.register(MACHINE, "id-7")).credentials.client_id == "shop-7"
