"""The keys that sign, and the keys that are published: not always the same, so that tokens survive a rotation."""

from joserfc.jwk import ECKey, Key, KeySet, RSAKey
from joserfc.jwk import KeySetSerialization as PublishedKeys


class SigningKeys:
    """One key per algorithm signs; those before it may stay published."""

    def __init__(self) -> None:
        self._signing = _generate()
        self._retired: list[Key] = []

    def rotate(self, *, keep_old: bool = True) -> None:
        """Sign with new keys from now on. Without the old ones, what they signed can be verified no more."""
        retired = [*self._retired, *self._signing.values()]
        self._retired = retired if keep_old else []
        self._signing = _generate()

    def signing(self, algorithm: str) -> Key:
        """The key that signs with this algorithm now: RS256 or ES256."""
        return self._signing[algorithm]

    def published(self) -> PublishedKeys:
        """The key set as the world sees it (RFC 7517, 5)."""
        return KeySet([*self._signing.values(), *self._retired]).as_dict(private=False)


def _generate() -> dict[str, Key]:
    return {
        "RS256": RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True),
        "ES256": ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True),
    }
