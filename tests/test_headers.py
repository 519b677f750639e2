"""Which headers travel."""

from collections.abc import Callable
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.headers import (
    LONGEST_VALUE,
    NO_NAMES,
    Forwarding,
    HeaderNames,
    Journey,
    RawHeaders,
    Style,
    UnsafeHeader,
    check,
    check_all,
    encode_value,
    fold,
    for_caller,
    for_upstream,
    nominated,
    oversized,
)
from gateway.policy import Allow, Headers

SCRUB = HeaderNames.of(["X-User", "X-Client-Id", "x-agw-*"])
TRUSTING = Forwarding(trusted=(ip_network("10.0.0.0/8"), ip_network("fd00::/8")))


def sent(
    *raw: tuple[str, str],
    allow: Allow = Allow(),  # noqa: B008 - frozen
    ours: Headers = (),
    scrub: HeaderNames = SCRUB,
) -> list[tuple[str, str]]:
    lines = for_upstream(_raw(*raw), scrub=scrub, allow=allow, ours=ours)
    return [(name.decode(), value.decode("latin-1")) for name, value in lines]


def _raw(*pairs: tuple[str, str]) -> RawHeaders:
    return [(name.encode(), value.encode("latin-1")) for name, value in pairs]


def test_headers_keep_their_order_their_case_and_their_number() -> None:
    pairs = [("Accept", "a"), ("aCCept", "b"), ("X-Empty", ""), ("Cookie", "c=\xe9")]
    assert sent(*pairs) == pairs


@pytest.mark.case("C229")
@pytest.mark.parametrize(
    "name",
    [
        *("Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Proxy-Authenticate", "TE", "Trailer"),
        *("Transfer-Encoding", "Upgrade", "HTTP2-Settings", "Content-Length", "Host", "Expect"),
    ],
)
def test_hop_by_hop_headers_and_framing_end_here(name: str) -> None:
    assert sent((name, "x"), (name.upper(), "x")) == []


@pytest.mark.case("C189", "C223")
@pytest.mark.parametrize(
    "name",
    [
        *("X-Original-URL", "X-Rewrite-URL", "X-Envoy-Original-Path", "X-Real-IP", "Forwarded", "X-Forwarded-Uri"),
        *("X-Forwarded-For", "X-Forwarded-Prefix", "X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Anything"),
    ],
)
def test_nobody_tells_the_upstream_of_another_request(name: str) -> None:
    assert sent((name, "x"), (name.lower(), "x")) == []


@pytest.mark.case("C219", "C233")
@pytest.mark.parametrize("name", ["X_User", "X.User", "x-USER", "Transfer_Encoding", "Content_Length", "a_b", "a.b"])
def test_names_that_may_be_read_as_another_are_dropped(name: str) -> None:
    assert sent((name, "x"), ("Accept", "y")) == [("Accept", "y")]


@pytest.mark.case("C233")
def test_a_content_coding_never_speaks_of_framing() -> None:
    assert sent(("Content-Encoding", "Chunked"), ("Content-Encoding", "gzip")) == [("Content-Encoding", "gzip")]


@pytest.mark.case("C218")
def test_identity_headers_of_callers_never_arrive() -> None:
    allow = Allow(set_headers=(("X-User", "alice"),))
    forged = [("X-User", "root"), ("x-user", ""), ("X-Client-Id", "c"), ("X-AGW-Anything", "d")]
    assert sent(*forged, allow=allow) == [("X-User", "alice")]
    assert sent(*forged) == []


@pytest.mark.case("C221")
def test_connection_cannot_take_away_what_the_gateway_sets() -> None:
    raw = [("Connection", "X-User, authorization,X-Forwarded-For"), ("Authorization", "caller"), ("Accept", "a")]
    allow = Allow(set_headers=(("X-User", "alice"), ("Authorization", "ours")))
    ours = (("X-Forwarded-For", "1.2.3.4"),)
    assert sent(*raw, allow=allow, ours=ours) == [
        ("Accept", "a"),
        ("X-Forwarded-For", "1.2.3.4"),
        ("X-User", "alice"),
        ("Authorization", "ours"),
    ]


def test_a_set_header_replaces_and_a_dropped_one_is_gone() -> None:
    allow = Allow(set_headers=(("X-A", "new"), ("X-A", "second")), drop_headers=frozenset({"authorization"}))
    assert sent(("x-a", "old"), ("Authorization", "t"), allow=allow) == [("X-A", "new"), ("X-A", "second")]


ALIAS = st.sampled_from(["x-user", "x-client-id", "x-agw-tenant"]).flatmap(
    lambda name: st.tuples(*(st.sampled_from({"-": "-_."}.get(letter, letter + letter.upper())) for letter in name))
)


@given(ALIAS.map("".join), st.text(alphabet=st.characters(max_codepoint=255), max_size=5))
@pytest.mark.case("C218", "C219")
def test_every_spelling_of_an_identity_header_is_scrubbed(name: str, value: str) -> None:
    assert name in SCRUB
    assert sent((name, value)) == []


@given(st.text(alphabet="abX-_.", min_size=1, max_size=6))
def test_a_set_of_names_takes_every_spelling_of_them(name: str) -> None:
    assert name in HeaderNames.of([fold(name).upper()])
    assert name not in NO_NAMES


@pytest.mark.case("C058", "C227")
@given(st.text())
def test_no_value_of_ours_can_be_more_than_one_line(value: str) -> None:
    encoded = encode_value(value)
    assert not any(byte < 0x20 or byte > 0x7E for byte in encoded)


@pytest.mark.case("C058", "C227")
def test_values_of_ours_are_sent_as_they_are_or_percent_encoded() -> None:
    assert encode_value('a "b" 50%') == b'a "b" 50%'
    assert encode_value("Zoë 50%") == b"Zo%C3%AB 50%25"
    assert encode_value("a\r\nX: y\x00") == b"a%0D%0AX: y%00"
    assert encode_value("\ud800") == b"%ED%A0%80"


@pytest.mark.case("C227")
def test_a_value_that_is_too_long_is_left_out() -> None:
    headers = (("X-Long", "a" * (LONGEST_VALUE + 1)), ("X-Fits", "a" * LONGEST_VALUE), ("X-Wide", "é" * 2000))
    assert oversized(headers) == ["X-Long", "X-Wide"]
    assert [name for name, _ in sent(allow=Allow(set_headers=headers))] == ["X-Fits"]


def test_a_name_of_ours_that_is_none_is_an_error() -> None:
    with pytest.raises(UnsafeHeader):
        sent(allow=Allow(set_headers=(("X: y\r\nZ", "v"),)))


def answered(*raw: tuple[bytes, bytes], answer_headers: Headers = ()) -> list[tuple[bytes, bytes]]:
    return for_caller(raw, answer_headers=answer_headers, request_id="id")[:-1]


@pytest.mark.case("C230")
def test_an_answers_headers_pass_unchanged() -> None:
    lines = [
        (b"Set-Cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
        (b"WWW-Authenticate", b'Basic realm="x"'),
        (b"X-eMPTY", b""),
        (b"X_Odd", b"\xe9\xff"),
        (b"Server", b"upstream"),
    ]
    assert answered(*lines) == lines


@pytest.mark.case("C229")
def test_an_answers_hop_by_hop_headers_end_here() -> None:
    names = [b"Connection", b"Keep-Alive", b"Proxy-Authenticate", b"Proxy-Connection", b"TE", b"Trailer"]
    names += [b"Transfer-Encoding", b"Upgrade"]
    assert answered(*((name, b"X-Gone") for name in names), (b"x-gone", b"v"), (b"Kept", b"v")) == [(b"Kept", b"v")]


def test_what_the_policies_say_to_the_caller_replaces_what_the_upstream_said() -> None:
    lines = answered(
        (b"ratelimit-limit", b"9"), (b"X-Request-Id", b"upstream's"), answer_headers=(("RateLimit-Limit", "5"),)
    )
    assert lines == [(b"RateLimit-Limit", b"5")]


@pytest.mark.case("C255")
@pytest.mark.parametrize("line", [(b"A", b"b\x01c"), (b"A", b"b\nc"), (b"A", b"\x00"), (b"A B", b"c"), (b"", b"c")])
def test_an_answers_header_that_is_none_is_not_passed_on(line: tuple[bytes, bytes]) -> None:
    with pytest.raises(UnsafeHeader):
        answered(line)


def test_nominated_names_are_read_from_every_connection_header() -> None:
    raw = _raw(("Connection", "close, X-A"), ("connection", " x-B "))
    assert nominated(raw) == {"close", "x-a", "x-b"}


def journey(*raw: tuple[str, str], peer: str, forwarding: Forwarding = TRUSTING) -> Journey:
    return forwarding.follow(_raw(*raw), peer=peer, scheme="http", host="API.example.com:8080")


@pytest.mark.case("C223")
def test_nobody_is_trusted_by_default() -> None:
    assert not Forwarding().trusted
    raw = [("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil")]
    known = journey(*raw, peer="9.9.9.9", forwarding=Forwarding())
    assert known == Journey(("9.9.9.9",), "http", "api.example.com:8080", "9.9.9.9")


@pytest.mark.case("C223", "C224")
def test_a_trusted_peer_is_believed_as_far_as_its_word_makes_sense() -> None:
    raw = [
        ("X-Forwarded-For", "6.6.6.6, 1.1.1.1:99, 10.0.0.2"),
        ("X-Forwarded-Proto", "HTTPS"),
        ("X-Forwarded-Host", "a.b"),
    ]
    known = journey(*raw, peer="10.0.0.1")
    assert known == Journey(("6.6.6.6", "1.1.1.1", "10.0.0.2", "10.0.0.1"), "https", "a.b", "1.1.1.1")
    odd = journey(
        ("X-Forwarded-For", "1.1.1.1, junk"), ("X-Forwarded-Proto", "ftp"), ("X-Forwarded-Host", "a b"), peer="10.0.0.1"
    )
    assert odd == Journey(("10.0.0.1",), "http", "api.example.com:8080", "10.0.0.1")


def test_addresses_have_one_spelling() -> None:
    assert journey(peer="::ffff:9.9.9.9").caller_ip == "9.9.9.9"
    assert journey(("X-Forwarded-For", "[2001:DB8::0:1]:443"), peer="fd00::1").caller_ip == "2001:db8::1"
    assert journey(peer="").caller_ip == ""


@pytest.mark.case("C225")
def test_one_kind_of_header_is_read_and_the_other_is_not() -> None:
    raw = [("X-Forwarded-For", "1.1.1.1"), ("Forwarded", 'for="2.2.2.2";proto=https;host=f.example')]
    assert journey(*raw, peer="10.0.0.1").caller_ip == "1.1.1.1"
    both = Forwarding(trusted=TRUSTING.trusted, style=Style.BOTH)
    assert journey(*raw, peer="10.0.0.1", forwarding=both).caller_ip == "1.1.1.1"
    rfc7239 = Forwarding(trusted=TRUSTING.trusted, style=Style.RFC7239)
    assert journey(*raw, peer="10.0.0.1", forwarding=rfc7239) == Journey(
        ("2.2.2.2", "10.0.0.1"), "https", "f.example", "2.2.2.2"
    )


@pytest.mark.parametrize(
    "value", ["for", "for=1.1.1.1 x", 'for="1.1.1.1', "=", ";;", 'for="a\\"b"', "for=unknown", "for=_hidden", "é"]
)
def test_a_forwarded_header_without_an_address_says_nothing(value: str) -> None:
    forwarding = Forwarding(trusted=TRUSTING.trusted, style=Style.RFC7239)
    assert journey(("Forwarded", value), peer="10.0.0.1", forwarding=forwarding).addresses == ("10.0.0.1",)


def test_the_upstream_is_told_in_the_style_that_is_configured() -> None:
    way = Journey(("2001:db8::1", "10.0.0.1"), "https", "a.b:1", "2001:db8::1")
    x_forwarded = (
        ("X-Forwarded-For", "2001:db8::1, 10.0.0.1"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "a.b:1"),
    )
    forwarded = ("Forwarded", 'for="[2001:db8::1]";host="a.b:1";proto=https, for=10.0.0.1')
    assert Forwarding().tell(way) == x_forwarded
    assert Forwarding(style=Style.RFC7239).tell(way) == (forwarded,)
    assert Forwarding(style=Style.BOTH).tell(way) == (*x_forwarded, forwarded)


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_forwarded_header_breaks_anything(one: str, other: str) -> None:
    raw = [(b"forwarded", one.encode()), (b"x-forwarded-for", other.encode()), (b"x-forwarded-host", one.encode())]
    for style in Style:
        forwarding = Forwarding(trusted=TRUSTING.trusted, style=style)
        way = forwarding.follow(raw, peer="10.0.0.1", scheme="http", host=other)
        assert way.addresses[-1] == "10.0.0.1"
        assert all("\r" not in value and "\n" not in value for _, value in forwarding.tell(way))


OCTETS = st.sampled_from([b"A", b"x-y", b"", b" ", b"a b", b"\r\n", b"\0", b"\t", b"\xc3\xa9", b":"])


@given(st.lists(st.tuples(OCTETS, OCTETS), max_size=4))
def test_looking_at_all_headers_at_once_finds_what_looking_at_each_would(lines: list[tuple[bytes, bytes]]) -> None:
    def is_safe(look: Callable[[], None]) -> bool:
        try:
            look()
        except UnsafeHeader:
            return False
        return True

    def one_by_one() -> None:
        for name, value in lines:
            check(name, value)

    assert is_safe(lambda: check_all(lines)) is is_safe(one_by_one)
