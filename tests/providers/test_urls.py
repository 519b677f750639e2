"""Which URLs we send secrets and tokens to."""

import pytest

from gateway.providers.urls import is_loopback, url_fault


@pytest.mark.parametrize(
    "url",
    [
        "https://idp.example",
        "https://idp.example/oauth2/default/v1/introspect",
        "https://idp.example:8443/as/introspect.oauth2?tenant=a%2Fb&x=",
        "HTTPS://IDP.example/",
        "https://10.0.0.7/keys",
        "https://[2001:db8::1]:8443/keys",
        "http://localhost:4001/token/introspection",
        "http://127.0.0.1:8080/",
        "http://127.255.255.254/",
        "http://[::1]:8080/jwks",
    ],
)
def test_https_is_right_anywhere_and_http_on_this_machine(url: str) -> None:
    assert url_fault(url) is None


@pytest.mark.case("C091")
@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://idp.example/jwks", "plain http"),
        ("http://10.0.0.7/jwks", "plain http"),
        ("http://0.0.0.0/", "plain http"),
        ("http://127.1/", "plain http"),
        ("http://2130706433/", "plain http"),
        ("http://0x7f000001/", "plain http"),
        ("http://127.0.0.1.example/", "plain http"),
        ("http://localhost.example/", "plain http"),
        ("http://localhost./", "plain http"),
        ("http://[::ffff:127.0.0.1]/", "plain http"),
        ("http://[::]/", "plain http"),
        ("file:///etc/passwd", "must begin with https://"),
        ("ftp://idp.example/jwks", "must begin with https://"),
        ("data:application/json,{}", "must begin with https://"),
        ("//idp.example/jwks", "must begin with https://"),
        ("/jwks", "must begin with https://"),
        (" https://idp.example/", "must begin with https://"),
        ("https:/idp.example/", "must begin with https://"),
        ("", "must begin with https://"),
        ("https://", "plain ASCII with a host"),
        ("https:///jwks", "plain ASCII with a host"),
        ("https://:443/", "plain ASCII with a host"),
        ("https://gateway:secret@idp.example/", "without userinfo"),
        ("https://idp.example@127.0.0.1/", "without userinfo"),
        ("https://idp.example/#keys", "fragment"),
        ("https://idp.example/a b", "plain ASCII"),
        ("https://idp.example/\n", "plain ASCII"),
        ("https://idp.example\\@other.example/", "plain ASCII"),
        ("https://idp.example/ü", "plain ASCII"),
        ("https://\u017fervice.example/", "plain ASCII"),
        ("https://idp.example:port/", "plain ASCII"),
        ("https://idp.example:/", "plain ASCII"),
        ("https://idp.example:0/", "a port that does not exist"),
        ("https://idp.example:65536/", "a port that does not exist"),
        ("https://[127.0.0.1]/", "no IPv6 address"),
        ("https://[:::]/", "no IPv6 address"),
        (7, "is not a string"),
        (None, "is not a string"),
        (["https://idp.example/"], "is not a string"),
    ],
)
def test_everything_else_is_wrong(url: object, fault: str) -> None:
    assert fault in str(url_fault(url))


def test_a_fault_never_repeats_the_url() -> None:
    for url in (
        "http://secret.example/",
        "ftp://secret/",
        "https://a:secret@b/",
        "https://secret:0/",
        "https://[secret]",
    ):
        assert "secret" not in str(url_fault(url))


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.8.8.8", "::1", "0:0:0:0:0:0:0:1"])
def test_this_machine_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "128.0.0.1", "::", "::2", "::ffff:127.0.0.1", "127.1", "127.0.0.1.", "a.localhost"]
)
def test_another_machine_is_not(host: str) -> None:
    assert not is_loopback(host)
