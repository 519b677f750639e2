"""Requests that were made to cost more than they are worth, each within what a caller may send."""

import base64
import json
from collections.abc import Mapping
from itertools import islice, product
from string import ascii_lowercase

from tests.servers import request

LONGEST = 8000
"""Characters of a token, a header or a path: a little less than the limits."""
NESTED = b"[" * 2500 + b"]" * 2500


def _encoded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def bogus(kid: str, *, alg: str = "RS256", number: int = 0, size: int = 256) -> str:
    """A token that is well-formed in every respect, and that nobody signed."""
    header = json.dumps({"alg": alg, "typ": "at+jwt", "kid": kid}).encode()
    payload = json.dumps({"sub": "mallory", "scope": "orders.read", "exp": 4_102_444_800, "jti": number}).encode()
    return f"{_encoded(header)}.{_encoded(payload)}.{_encoded(number.to_bytes(size // 2) * 2)}"


def _of(header: bytes, payload: bytes, signature: bytes = b"x" * 256) -> str:
    return ".".join(_encoded(part) for part in (header, payload, signature))


def tokens(rsa: str, ec: str) -> Mapping[str, str]:
    """By what is wrong with them; `rsa` and `ec` are the ids of keys that the provider publishes."""
    header = json.dumps({"alg": "RS256", "typ": "at+jwt", "kid": rsa}).encode()
    many = json.dumps({f"claim{number}": number for number in range(300)}).encode()
    return {
        "a bogus RS256 signature": bogus(rsa),
        "a bogus ES256 signature": bogus(ec, alg="ES256", size=64),
        "a bogus signature, no key named": _of(b'{"alg":"RS256"}', b"{}"),
        "a key that nobody knows": bogus("nobody's"),
        "a header that is nested": _of(NESTED, b"{}"),
        "a payload that is nested": _of(header, b'{"exp":' + NESTED + b"}"),
        "a payload of objects in objects": _of(header, b'{"a":' * 1000 + b"1" + b"}" * 1000),
        "a number of 5,000 digits": _of(header, b'{"exp":' + b"9" * 5000 + b"}"),
        "a number that is no number": _of(header, b'{"exp":1e' + b"9" * 5000 + b"}"),
        "many claims": _of(header, many),
        "one claim many times": _of(header, b'{"exp":1' + b',"exp":1' * 600 + b"}"),
        "many escapes": _of(header, b'{"sub":"' + rb"\ud83d\ude00" * 400 + b'"}'),
        "dots alone": "." * LONGEST,
        "a payload alone": "e." + "e" * (LONGEST - 4) + ".e",
        "as opaque as can be": "x" * LONGEST,
    }


def _header(line: str) -> bytes:
    return request("GET", "/public", line)


def requests(rsa: str, ec: str) -> Mapping[str, bytes]:
    """By what is special about them."""
    names = ["".join(letters) for letters in islice(product(ascii_lowercase, repeat=3), 2000)]
    many = [f"X-{name}: {'y' * 600}" for name in names[:95]]
    return {
        **{
            f"token: {what}": request("GET", "/orders", f"Authorization: Bearer {token}")
            for what, token in tokens(rsa, ec).items()
        },
        "token: in pieces": request("GET", "/orders", "Authorization: Bearer " + "a " * (LONGEST // 2)),
        "token: a scheme alone": request("GET", "/orders", "Authorization: " + "Bearer" * (LONGEST // 6)),
        "token: behind blanks": request("GET", "/orders", "Authorization: Bearer" + " " * LONGEST + "x"),
        "path: up and down": request("GET", "/public" + "/a/.." * (LONGEST // 5)),
        "path: encoded dots": request("GET", "/public" + "/%2e%2e" * (LONGEST // 7)),
        "path: encoded letters": request("GET", "/public/" + "%61" * (LONGEST // 3)),
        "path: encoded percent signs": request("GET", "/public/" + "%25" * (LONGEST // 3)),
        "path: slashes": request("GET", "/public" + "/" * LONGEST),
        "path: segments": request("GET", "/public" + "/a" * (LONGEST // 2)),
        "path: parameters": request("GET", "/public/" + ";a" * (LONGEST // 2)),
        "query: ampersands": request("GET", "/public?" + "a&" * (LONGEST // 2)),
        "query: tokens": request("GET", "/orders?" + "access_token=a&" * (LONGEST // 15)),
        "headers: many": request("GET", "/public", *many),
        "headers: empty": request("GET", "/public", *(f"{name}:" for name in names[:95])),
        "headers: one": _header("X-Long: " + "y" * LONGEST),
        "headers: blanks": _header("X-Long:" + " \t" * (LONGEST // 2)),
        "headers: not ASCII": _header("X-Long: " + "\u00c3\u00a9" * (LONGEST // 2)),
        "headers: connection": _header("Connection: " + ",".join(names)),
        "headers: cookie": _header("Cookie: " + "a=b; " * (LONGEST // 5)),
        "headers: cookie with quotes": _header('Cookie: a="' + "\\" * LONGEST),
        "headers: user agent of schemes": _header("User-Agent: " + "Bearer " * (LONGEST // 7)),
        "headers: user agent of tokens": _header("User-Agent: " + "eyJ" * (LONGEST // 3)),
        "headers: user agent of secrets": _header("User-Agent: " + "token token=' " * (LONGEST // 14)),
        "headers: user agent of URLs": _header("User-Agent: " + "://" * (LONGEST // 3)),
        "headers: came through many": _header("X-Forwarded-For: " + "192.0.2.1, " * (LONGEST // 11)),
        "headers: forwarded": _header("Forwarded: " + 'for="[2001:db8::1]";by=a,' * (LONGEST // 25)),
        "headers: forwarded, quoted": _header('Forwarded: for="' + "\\" * LONGEST),
        "headers: trace": _header("tracestate: " + "a=b," * (LONGEST // 4)),
        "headers: host": request("GET", "/public", host="a." * (LONGEST // 2) + "example"),
        "headers: host of digits": request("GET", "/public", host="[" + ":" * LONGEST + "]"),
        "framing: coding": _header("Transfer-Encoding: " + "chunked," * (LONGEST // 8)),
        "framing: length": _header("Content-Length: " + "0" * LONGEST),
        "framing: preflight": request(
            "OPTIONS",
            "/public",
            "Origin: https://a",
            "Access-Control-Request-Method: GET",
            "Access-Control-Request-Headers: " + "a," * (LONGEST // 2),
        ),
        "form: fields": request(
            "POST", "/form", "Content-Type: application/x-www-form-urlencoded", body=b"a=%61&" * 10_000
        ),
        "form: percent signs": request(
            "POST", "/form", "Content-Type: application/x-www-form-urlencoded", body=b"%61" * 20_000
        ),
        "form: one field many times": request(
            "POST", "/form", "Content-Type: application/x-www-form-urlencoded", body=b"access_token=a&" * 900
        ),
        "body: trailers": request(
            "POST", "/public", "Transfer-Encoding: chunked", body=b"0\r\n" + b"X-Trailer: y\r\n" * 500 + b"\r\n"
        ),
    }


def chunks(count: int) -> bytes:
    """A body of as many chunks as bytes."""
    return request("POST", "/public", "Transfer-Encoding: chunked", body=b"1\r\na\r\n" * count + b"0\r\n\r\n")
