import base64
import hashlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from gateway.clients.store import Unusable
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.sealing import Seal, SealBroken, check_key, new_key

ONE, TWO = SecretStr(new_key()), SecretStr(new_key())
RANDOM = hashlib.sha256(b"as good as random").digest()
ROW = "registrations:c1"


def base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode()


@given(st.binary(), st.text(st.characters(exclude_categories=["Cs"])))
def test_what_was_sealed_for_a_row_opens_for_that_row(contents: bytes, row: str) -> None:
    seal = Seal([ONE])
    assert seal.open(seal.close(contents, row), row) == contents


def test_a_value_does_not_open_for_another_row() -> None:
    seal = Seal([ONE])
    with pytest.raises(SealBroken):
        seal.open(seal.close(b"secret", "registrations:c1"), "registrations:c2")


def test_a_value_does_not_open_with_another_key() -> None:
    with pytest.raises(SealBroken):
        Seal([TWO]).open(Seal([ONE]).close(b"secret", ROW), ROW)


def test_every_key_opens_and_the_first_seals() -> None:
    old, both = Seal([ONE]), Seal([TWO, ONE])
    sealed = old.close(b"secret", ROW)
    assert both.open(sealed, ROW) == b"secret"
    assert not both.is_current(sealed)
    again = both.close(b"secret", ROW)
    assert both.is_current(again)
    assert Seal([TWO]).open(again, ROW) == b"secret"


def test_no_octet_of_a_sealed_value_can_be_changed() -> None:
    seal = Seal([ONE])
    sealed = seal.close(b"secret", ROW)
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(SealBroken):
            seal.open(bytes(changed), ROW)


@given(st.binary(max_size=60))
def test_what_nobody_sealed_does_not_open(sealed: bytes) -> None:
    with pytest.raises(SealBroken):
        Seal([ONE]).open(sealed, ROW)


def test_the_same_contents_are_never_sealed_alike_and_never_show() -> None:
    seal = Seal([ONE])
    sealed = [seal.close(b"secret", ROW) for _ in range(3)]
    assert len(set(sealed)) == 3
    assert not any(b"secret" in each for each in sealed)


def test_a_new_key_is_good_and_never_the_same() -> None:
    keys = {new_key() for _ in range(200)}
    assert len(keys) == 200
    assert {len(check_key(key)) for key in keys} == {32}


@pytest.mark.parametrize(
    "key",
    [
        base64url(RANDOM).rstrip("="),
        base64.b64encode(RANDOM).decode(),
        base64url(RANDOM + RANDOM[:16]),
        f"  {base64url(RANDOM)}\n",
        RANDOM.hex(),
    ],
    ids=["without padding", "the other alphabet", "longer", "with white space", "hexadecimal"],
)
def test_random_keys_are_taken_as_people_make_them(key: str) -> None:
    sealed = Seal([SecretStr(key)]).close(b"secret", ROW)
    assert Seal([SecretStr(key.strip())]).open(sealed, ROW) == b"secret"


@pytest.mark.case("C298")
@pytest.mark.parametrize(
    "key",
    [
        "",
        "   \n",
        "changeme",
        "secret",
        "correct horse battery staple, and more of it",
        "this-is-a-long-passphrase-that-nobody-knows-1",
        "CHANGEME" * 8,
        "MyVeryOwnPasswordThatIsQuiteLongEnoughForIt1",
        base64url(RANDOM[1:]),
        base64url(RANDOM)[:-3],
        base64url(bytes(32)),
        base64url(b"\xff" * 64),
        base64url(bytes(range(32))),
        base64url(RANDOM[:8] * 4),
        base64url(RANDOM[:16] * 2),
        base64url(b"correct horse battery staple, 32"),
        "0123456789abcdef" * 4,
        "a" * 64,
        string.ascii_letters,
        "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=",
        "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    ],
)
def test_a_key_that_somebody_could_guess_is_refused_with_a_way_to_make_one(key: str) -> None:
    with pytest.raises(Unusable) as caught:
        Seal([ONE, SecretStr(key)])
    assert caught.value.code == "weak_key"
    assert "tokenward store key" in str(caught.value)
    assert not key.strip() or key.strip() not in str(caught.value)


@pytest.mark.case("C298")
def test_a_store_without_a_key_is_refused() -> None:
    with pytest.raises(Unusable) as caught:
        Seal([])
    assert caught.value.code == "weak_key"


def test_no_key_shows_in_a_repr() -> None:
    options = StoreOptions(url=SecretStr("postgresql://me:hunter2@db/x"), encryption_keys=(ONE,))
    shown = repr([options, Seal([ONE])])
    assert ONE.get_secret_value() not in shown
    assert "hunter2" not in shown
