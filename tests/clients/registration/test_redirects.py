"""Which redirect URIs are registered."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clients import mistakes
from gateway.clients.registration.redirects import LONGEST, redirect_uri_fault
from gateway.clients.registration.wishes import check
from gateway.providers.registration import Registration
from tests.clients.registration.opened import WEBSITE
from tests.rfc.vectors import folder

RIGHT = [
    "https://app.example.com/callback",
    "https://app.example.com",
    "https://app.example.com/",
    "https://app.example.com:8443/callback?from=login&to=%2Fhome",
    "https://xn--bcher-kva.example/callback",
    "https://192.0.2.7/callback",
    "https://[2001:db8::7]/callback",
    "HTTPS://App.Example.com/CallBack",
    "https://app.example.com/a%20b/c",
    "http://127.0.0.1/callback",
    "http://127.0.0.1:49152/callback",
    "http://[::1]:49152/callback",
    "http://localhost:3000/callback",
    "com.example.app:/callback",
    "com.example.my-app:/oauth2/callback?kind=login",
]

WRONG = [
    "",
    "/callback",
    "//app.example.com/callback",
    "app.example.com/callback",
    "https:app.example.com",
    "https:/app.example.com/callback",
    "https:///callback",
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "java\tscript:alert(1)",
    " javascript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:https://app.example.com/x",
    "about:blank",
    "urn:ietf:wg:oauth:2.0:oob",
    "ftp://app.example.com/callback",
    "ws://app.example.com/callback",
    "http://app.example.com/callback",
    "http://169.254.169.254/callback",
    "http://127.0.0.1.example.com/callback",
    "http://127.1/callback",
    "http://2130706433/callback",
    "http://0x7f.0.0.1/callback",
    "http://[::ffff:127.0.0.1]/callback",
    "http://localhost.example.com/callback",
    "https://2130706433/callback",
    "https://0xd8.0x3a.0xd6.0xce/callback",
    "https://0330.072.0326.0316/callback",
    "https://192.0.2.256/callback",
    "https://192.0.2/callback",
    "https://[2001:db8::7/callback",
    "https://[fe80::1%25eth0]/callback",
    "https://[v1.x]/callback",
    "https://app.example.com/callback#top",
    "https://app.example.com/callback#",
    "https://user@app.example.com/callback",
    "https://user:secret@app.example.com/callback",
    "https://app.example.com:@evil.example/callback",
    "https://*.example.com/callback",
    "https://app.example.com/*",
    "https://app.example.com/callback?x=*",
    "https://app.example.com/%2a",
    "https://app.example.com/a/../callback",
    "https://app.example.com/..",
    "https://app.example.com/./callback",
    "https://app.example.com/%2e%2e/callback",
    "https://app.example.com/.%2E/callback",
    "https://app.example.com/%252e%252e/callback",
    "https://app.example.com/a%2fb",
    "https://app.example.com/a%5cb",
    "https://app.example.com//callback",
    "https://app.example.com/https://evil.example/",
    "https://app.example.com\\callback",
    "https:\\\\app.example.com/callback",
    "https://app.example.com/a b",
    "https://app.example.com/callback\r\nSet-Cookie: x=y",
    "https://app.example.com/callback%0d%0aSet-Cookie:%20x=y",
    "https://app.example.com/callback?x=%0a",
    "https://app.example.com/callback?x=%00",
    "https://app.example.com/%7f",
    "https://app.example.com/%zz",
    "https://app.example.com/%2",
    "https://app.example.com/\x00",
    "https://app.example.com/\x7f",
    "https://app.example.com/é",
    "https://bücher.example/callback",
    "https://app.example.com\u3002evil.example/callback",
    "https://app.example.com/<script>",
    'https://app.example.com/"',
    "https://app.example.com/{callback}",
    "https://app.example.com:0/callback",
    "https://app.example.com:65536/callback",
    "https://app.example.com:/callback",
    "https://app.example.com:80:80/callback",
    "https://-app.example.com/callback",
    "https://app..example.com/callback",
    "https://.example.com/callback",
    "https://app%2eexample.com/callback",
    f"https://{'a' * 64}.example.com/callback",
    f"https://{'a.' * 127}com/callback",
    "myapp:/callback",
    "myapp://callback",
    "com.example.app://callback",
    "com.example.app:callback",
    "com.example.app:",
    "com.example.app:/../callback",
    "com.example.app:/callback#top",
    "com..example:/callback",
    ".com.example:/callback",
    "1.example:/callback",
    "intent.x:/a;S.browser_fallback_url=javascript:alert(1)#Intent",
]

HONEST = {"https://google.com", "https://google.com/"}
"""What the list has among its attacks, because it is about being led to another's site: the owner of that site would
register the very same."""


@pytest.mark.parametrize("uri", RIGHT)
def test_a_place_to_come_back_to_is_taken(uri: str) -> None:
    assert redirect_uri_fault(uri) is None


@pytest.mark.case("C291")
@pytest.mark.parametrize("uri", WRONG, ids=ascii)
def test_what_could_lead_elsewhere_is_refused(uri: str) -> None:
    fault = redirect_uri_fault(uri)
    assert fault is not None
    assert fault.isascii()
    with pytest.raises(mistakes.Invalid) as refused:
        check(replace(WEBSITE, redirect_uris=(uri,)), Registration(), ())
    assert refused.value.code == "invalid_redirect_uri"


@pytest.mark.case("C291")
def test_every_line_of_a_public_list_of_open_redirects_is_refused() -> None:
    lines = folder().joinpath("open-redirect/payloads.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) > 400
    taken = {line for line in lines if redirect_uri_fault(line) is None}
    assert taken == HONEST


def test_what_is_said_of_one_does_not_repeat_it() -> None:
    uri = "https://user:secret@app.example.com/callback"
    assert "secret" not in str(redirect_uri_fault(uri))


def test_one_that_is_too_long_is_refused() -> None:
    start = "https://app.example.com/"
    assert redirect_uri_fault(start.ljust(LONGEST, "a")) is None
    assert redirect_uri_fault(start.ljust(LONGEST + 1, "a")) is not None


@given(st.text(max_size=60) | st.from_regex(r"(?i)[a-z.]{1,12}:[/\\]{0,3}[a-z0-9@:%.*#\\/\[\]?]{0,40}", fullmatch=True))
def test_whatever_is_taken_is_plain_ascii_without_anything_that_parsers_disagree_on(uri: str) -> None:
    if redirect_uri_fault(uri) is None:
        assert uri.isascii()
        assert uri.isprintable()
        assert not set('\\#*@<>"{}|^` ') & set(uri.partition("?")[0].partition("://")[2].partition("/")[0])
        assert not {"..", "."} & set(uri.partition("?")[0].split("/"))
