"""TLS to servers: whom it trusts, what it shows them, and that there is no other."""

import ast
import ssl
from pathlib import Path

import pytest

from gateway.client_tls import client_tls, http_tls
from tests.certificates import Authority

CHECKOUT = Path(__file__).parents[1]
OTHERS = {
    "gateway/client_tls.py",
    # These serve callers.
    "gateway/listeners.py",
    "gateway/doctor/listening.py",
    # Reaches the proxy as the gateway would, and looks at certificates that are not believed.
    "gateway/doctor/connections.py",
}


def test_certificates_and_names_are_verified_and_old_versions_refused() -> None:
    for tls in (client_tls(), http_tls()):
        assert (tls.verify_mode, tls.check_hostname) == (ssl.CERT_REQUIRED, True)
        assert tls.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_an_authority_of_ones_own_takes_the_place_of_all_others(tmp_path: Path) -> None:
    trusted = client_tls(str(Authority(tmp_path).file)).get_ca_certs()
    assert len(trusted) == 1


@pytest.mark.parametrize("content", ["", "no certificate"])
def test_a_file_without_a_certificate_trusts_nobody_instead_of_everybody(content: str, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(content)
    with pytest.raises(ssl.SSLError):
        client_tls(str(file))


def test_an_encrypted_key_is_an_error_and_never_asked_for_at_the_terminal(tmp_path: Path) -> None:
    pair = Authority(tmp_path).issue().locked()
    with pytest.raises(ssl.SSLError):
        client_tls(None, str(pair.certificate), str(pair.key))


def test_a_key_of_another_certificate_is_an_error(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with pytest.raises(ssl.SSLError):
        client_tls(None, str(authority.issue().certificate), str(authority.issue().key))


def test_nobody_else_makes_tls_of_their_own() -> None:
    assert {path for path in sources() if makes_tls(CHECKOUT / path)} <= OTHERS


def sources() -> list[str]:
    found = [path for package in ("gateway", "policies") for path in (CHECKOUT / package).rglob("*.py")]
    return [str(path.relative_to(CHECKOUT)) for path in found]


def makes_tls(path: Path) -> bool:
    """Whether a module names what makes a context."""
    names = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    return bool(names & {"create_default_context", "_create_unverified_context", "CERT_NONE"})
