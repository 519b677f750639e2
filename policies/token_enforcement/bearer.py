"""The refusals of RFC 6750, section 3. Pure; every value comes from the configuration, never from a request."""

from collections.abc import Iterable

from gateway.policy import Deny, Headers


def no_credential(realm: str) -> Deny:
    """Section 3.1: a caller that sent no credential is not given an error code."""
    return Deny(401, "credential_missing", "This API needs a bearer token.", _challenge(realm))


def invalid_request(realm: str, code: str, detail: str) -> Deny:
    """The credential is presented in a way nobody may."""
    return _refuse(400, "invalid_request", realm, code, detail)


def invalid_token(realm: str, code: str, detail: str) -> Deny:
    """The token is not good for anything here."""
    return _refuse(401, "invalid_token", realm, code, detail)


def insufficient_scope(realm: str, scopes: Iterable[str], detail: str) -> Deny:
    """The token is good, and does not reach this far. The challenge names the scopes that would."""
    names = " ".join(sorted(scopes))
    return _refuse(403, "insufficient_scope", realm, "insufficient_scope", detail, scope=names)


def forbidden(code: str, detail: str) -> Deny:
    """The token is good, and no other scope would help: section 3.1 has no error code for that."""
    return Deny(403, code, detail)


def _refuse(status: int, error: str, realm: str, code: str, detail: str, **more: str) -> Deny:
    challenge = _challenge(realm, error=error, error_description=detail, **more)
    return Deny(status, code, detail, challenge, error=error)


def _challenge(realm: str, **attributes: str) -> Headers:
    quoted = ", ".join(f'{name}="{_quoted(value)}"' for name, value in {"realm": realm, **attributes}.items())
    return (("WWW-Authenticate", f"Bearer {quoted}"),)


def _quoted(value: str) -> str:
    """The inside of a quoted-string (RFC 9110, 5.6.4)."""
    return value.replace("\\", "\\\\").replace('"', '\\"')
