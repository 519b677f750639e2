"""Addresses, networks, limits and times: what may be written, and the line about what may not."""

from ipaddress import ip_network

import pytest

from gateway.settings import Settings, parse
from gateway.settings.grammar import Address
from gateway.settings.show import show
from tests.settings import ROUTE, line, lines

ADMIN_TOKEN = "n0body-knows-thi"


def settings(text: str) -> Settings:
    return parse(text + ROUTE, environment={})


def test_one_address_or_several_may_be_written() -> None:
    assert settings("listen: 0.0.0.0:80\n").listen == (Address("0.0.0.0", 80),)
    assert settings('listen: ["[::]:8080", "localhost:0"]\n').listen == (Address("::", 8080), Address("localhost", 0))


@pytest.mark.parametrize("text", ["127.0.0.1:8080", "[::1]:8080", "localhost:0"])
def test_an_address_is_written_as_it_is_read(text: str) -> None:
    assert str(settings(f'listen: "{text}"\n').listen[0]) == text


@pytest.mark.parametrize(
    "text", ["8080", ":8080", "127.0.0.1", "::1:8080", "a:65536", "http://a:80", "a:b", "a b:1", "/x:1"]
)
def test_what_is_no_address_is_told(text: str) -> None:
    assert line(f'listen: "{text}"\n{ROUTE}') == (
        "1:1: listen: is no address to listen on; write host:port, as in 127.0.0.1:8080 or [::]:8080"
    )


def test_a_bare_port_is_told_that_it_lacks_a_host() -> None:
    assert line(f"listen: 8080\n{ROUTE}") == (
        "1:1: listen: is no address to listen on; write host:port, as in 127.0.0.1:8080 or [::]:8080"
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("127.0.0.256:80", "its IP address is wrong"),
        ("[::g]:80", "write"),
        ("[1::2::3]:80", "its IP"),
        ("-a:80", "its host"),
    ],
)
def test_an_address_with_a_wrong_host_is_told(text: str, fault: str) -> None:
    assert "1:1: listen: is no address to listen on" in (told := line(f'listen: "{text}"\n{ROUTE}'))
    assert fault in told


def test_an_empty_list_of_addresses_is_told() -> None:
    assert line(f"listen: []\n{ROUTE}") == "1:1: listen: must not be empty"


@pytest.mark.parametrize("listen", ["127.0.0.1:9090", "0.0.0.0:9090", '"[::]:9090"'])
def test_a_port_cannot_serve_callers_and_administrators(listen: str) -> None:
    assert line(f"listen: {listen}\nadmin:\n  listen: 127.0.0.1:9090\n{ROUTE}") == (
        "3:3: admin.listen: the port 9090 is already taken by listen; write another one"
    )


def test_an_address_cannot_be_listened_on_twice() -> None:
    assert line(f"listen:\n  - 127.0.0.1:1\n  - 127.0.0.1:1\n{ROUTE}") == (
        "3:5: listen.1: the port 1 is written twice; write another one"
    )


@pytest.mark.parametrize("listen", ["[127.0.0.1:0, 127.0.0.1:0]", "[127.0.0.1:80, 127.0.0.2:80]"])
def test_ports_that_the_system_chooses_and_other_hosts_do_not_collide(listen: str) -> None:
    assert lines(f"listen: {listen}\n{ROUTE}") == []


def test_a_faulty_address_is_not_replaced_by_the_default_to_find_a_collision() -> None:
    assert line(f"listen: nowhere\nadmin: {{listen: 127.0.0.1:8080}}\n{ROUTE}").startswith("1:1: listen: is no address")


@pytest.mark.parametrize("listen", ["0.0.0.0:9090", "10.1.2.3:9090", '"[::]:9090"', "gateway.internal:9090"])
def test_an_admin_port_that_others_reach_is_warned_of(listen: str) -> None:
    (warning,) = settings(f"admin:\n  listen: {listen}\n").warnings
    assert str(warning) == (
        "tokenward.yaml:2:3: admin.listen: whoever reaches this address can read metrics and routes; "
        "write 127.0.0.1, set admin.token, or keep others away by a network policy"
    )
    assert settings(f"admin:\n  listen: {listen}\n  token: {ADMIN_TOKEN}\n").warnings == ()


@pytest.mark.parametrize(
    ("token", "fault"),
    [
        ("''", "is blank; write a long random text, best as ${NAME} or ${file:path}, or leave it out"),
        ("' '", "is blank; write a long random text, best as ${NAME} or ${file:path}, or leave it out"),
        ("Change-Me", "is a placeholder that everybody knows; write a long random text"),
        ("n0body-knows-th", "is too short; write at least 16 random characters"),
        ("'n0body knows this thing'", "cannot be sent in a header; write letters, digits and - . _ ~ + /"),
    ],
)
def test_an_admin_token_that_is_none_is_told_without_it(token: str, fault: str) -> None:
    assert line(f"admin: {{token: {token}}}\n{ROUTE}") == f"1:9: admin.token: {fault}"


def test_an_admin_token_is_shown_nowhere() -> None:
    found = settings(f"admin: {{token: {ADMIN_TOKEN}}}\n")
    assert ADMIN_TOKEN not in f"{found!r} {show(found)}"


@pytest.mark.parametrize("listen", ["127.0.0.1:1", '"[::1]:1"', "localhost:1"])
def test_an_admin_port_on_loopback_is_not_warned_of(listen: str) -> None:
    assert settings(f"admin: {{listen: {listen}}}\n".replace("{listen: [", "{listen: '[")).warnings == ()


def test_networks_are_read_as_networks() -> None:
    found = settings("trusted_proxies: [10.0.0.0/8, 'fd00::/8', 192.0.2.1]\n").trusted_proxies
    assert found == (ip_network("10.0.0.0/8"), ip_network("fd00::/8"), ip_network("192.0.2.1/32"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("10.0.0.1/8", "has bits set after its prefix; write 10.0.0.0/8"),
        ("10.0.0.0/33", "is no network; write it as 10.0.0.0/8 or fd00::/8"),
        ("everybody", "is no network; write it as 10.0.0.0/8 or fd00::/8"),
        ("''", "is no network; write it as 10.0.0.0/8 or fd00::/8"),
    ],
)
def test_what_is_no_network_is_told(text: str, fault: str) -> None:
    assert line(f"trusted_proxies: [{text}]\n{ROUTE}") == f"1:19: trusted_proxies.0: {fault}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("workers: 0", "1:1: workers: must be at least 1"),
        ("workers: 1.5", "1:1: workers: must be a whole number"),
        ("workers: many", "1:1: workers: must be a whole number"),
        ("workers:", "1:1: workers: has no value; write one, or leave it out"),
        ("timeouts: {head: -1}", "1:12: timeouts.head: must be greater than 0"),
        ("timeouts: {head: 0}", "1:12: timeouts.head: must be greater than 0"),
        ("timeouts: {head: soon}", "1:12: timeouts.head: must be a number"),
        ("drain: {delay: -0.5}", "1:9: drain.delay: must be at least 0"),
        ("limits: {body: -1}", "1:10: limits.body: must be at least 0"),
        ("limits: {requests_in_flight: 0}", "1:10: limits.requests_in_flight: must be at least 1"),
        ("limits: {target: yes}", "1:10: limits.target: must be a whole number"),
        ("limits: [1]", "1:1: limits: must be a mapping; write name: value"),
        ("reload: {watch: no}", "1:10: reload.watch: must be true or false"),
        ("reload: {watch: 1}", "1:10: reload.watch: must be true or false"),
        ("access_log: {to: 7}", "1:14: access_log.to: must be text; put it between quotes"),
        ("access_log: {to: [a]}", "1:14: access_log.to: must be text"),
        (
            "access_log: {to: no-such-folder/access.log}",
            "1:14: access_log.to: is neither stdout, stderr or off, nor a file in a folder that exists",
        ),
        ("log_level: INFO", "1:1: log_level: must be one of debug, info, warning, error; did you mean info?"),
        ("log_level: loud", "1:1: log_level: must be one of debug, info, warning, error"),
        ("forwarded: rfc7329", "1:1: forwarded: must be one of x-forwarded, rfc7239, both; did you mean rfc7239?"),
        ("version: 2", "1:1: version: must be one of 1"),
        ("trusted_proxies: 10.0.0.0/8", "1:1: trusted_proxies: must be a list; write it between [ and ]"),
        ("lisen: a", "1:1: lisen: is not known here; did you mean listen?"),
        ("drain: {dealy: 1}", "1:9: drain.dealy: is not known here; did you mean delay?"),
        ("drain: {zzz: 1}", "1:9: drain.zzz: is not known here; write one of delay, timeout"),
        ("drain: {a.b: 1}", '1:9: drain."a.b": is not known here; write one of delay, timeout'),
        ('drain: {"a\\eb": 1}', '1:9: drain."a\\u001bb": is not known here; write one of delay, timeout'),
    ],
)
def test_the_line_about_a_value(text: str, expected: str) -> None:
    assert line(f"{text}\n{ROUTE}") == expected


def test_what_tls_needs_is_told() -> None:
    assert lines(f"tls: {{key_file: nowhere.key}}\n{ROUTE}") == [
        "tokenward.yaml:1:1: tls.certificate_file: is missing; write certificate_file: tls/server.crt",
        "tokenward.yaml:1:7: tls.key_file: there is no such file; paths start at the folder of the configuration",
    ]


def test_a_file_without_routes_is_told_what_to_write() -> None:
    assert line("workers: 1\n") == "1:1: routes: is missing; write routes: {}"
