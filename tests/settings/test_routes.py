"""Routes: paths, hosts, methods, conditions, and what only shows between two of them."""

import pytest

from gateway.settings import parse
from gateway.settings.routes import RouteSettings
from tests.settings import ROUTE, line, lines, policies, route


def orders(text: str) -> RouteSettings:
    return parse(text, environment={}).routes["orders"]


def test_a_url_alone_is_an_upstream_with_one_target() -> None:
    assert orders(ROUTE).upstream.targets == ("http://orders.internal:8000",)
    assert orders(ROUTE).upstream.connect_timeout == 2


@pytest.mark.parametrize("api", ["", "api: null"])
def test_a_route_belongs_to_the_api_of_its_name(api: str) -> None:
    assert orders(route(api)).api == "orders"
    assert orders(route("api: shop")).api == "shop"


@pytest.mark.parametrize("path", ["/", "/a", "/a/{id}/b", "/a-b.c_d~e", "/a%2Cb", "/a:b@c,d=e", "/{id}"])
def test_a_path_of_literal_segments_and_parameters_is_taken(path: str) -> None:
    assert orders(ROUTE.replace("path: /orders", f'path: "{path}"')).path == path


NO_PATH = "is no path: write each slash once, no . or .. as a segment, and %XX for other characters"


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("orders", "must begin with a slash, as in /orders"), ("", "must begin with a slash, as in /orders"),
        ("/a//b", NO_PATH), ("/a/../b", NO_PATH), ("/a/./b", NO_PATH), ("/a b", NO_PATH), ("/a?b", NO_PATH),
        ("/a#b", NO_PATH), ("/a;b", NO_PATH), ("/ä", NO_PATH), ("/a%2fb", NO_PATH), ("/a%zz", NO_PATH),
        ("/%41", "is not how requests are spelled here; write /A"),
        ("/a%c3%a4", "is not how requests are spelled here; write /a%C3%A4"),
        ("/a{id}", "may hold {name} as a whole segment only"), ("/{}", "may hold {name} as a whole segment only"),
        ("/orders/", "must not end with a slash unless exact is true; write /orders"),
        ("/a/**", "needs no *: everything below the path is meant, and {name} stands for one segment"),
    ],
)  # fmt: skip
@pytest.mark.case("C185")
def test_a_path_that_no_request_could_have_is_told(path: str, fault: str) -> None:
    told = lines(ROUTE.replace("path: /orders", f'path: "{path}"'))
    assert told == [f"tokenward.yaml:2:12: routes.orders.path: {fault}"]


@pytest.mark.parametrize("hosts", ["[api.example.com]", '["*.example.com"]', "[localhost, 127.0.0.1]", "['[::1]']"])
def test_hosts_are_taken(hosts: str) -> None:
    assert lines(route(f"hosts: {hosts}")) == []


@pytest.mark.parametrize(
    ("host", "fault"),
    [
        ("API.example.com", "must be in lower case; write api.example.com"),
        *(
            (host, "is no host; write api.example.com or *.example.com, without scheme, port and final dot")
            for host in ("https://a.b", "a.b:80", "a.b.", "a b", "", "*", "a.*.b", "-a", "a..b", "ä.de")
        ),
    ],
)
def test_what_is_no_host_is_told(host: str, fault: str) -> None:
    assert line(route(f'hosts: ["{host}"]')) == f"3:13: routes.orders.hosts.0: {fault}"


@pytest.mark.parametrize(
    ("methods", "expected"),
    [
        ("[get]", "3:15: routes.orders.methods.0: must be in upper case; write GET"),
        ("[GET, Post]", "3:20: routes.orders.methods.1: must be in upper case; write POST"),
        (
            "[TRACE]",
            "3:15: routes.orders.methods.0: is no method that is ever forwarded; write one such as GET or POST",
        ),
        (
            "[CONNECT]",
            "3:15: routes.orders.methods.0: is no method that is ever forwarded; write one such as GET or POST",
        ),
        (
            '["GE T"]',
            "3:15: routes.orders.methods.0: is no method that is ever forwarded; write one such as GET or POST",
        ),
        ("[1]", "3:15: routes.orders.methods.0: must be text; put it between quotes"),
        ("GET", "3:5: routes.orders.methods: must be a list; write it between [ and ]"),
        ("[]", "3:5: routes.orders.methods: must not be empty"),
    ],
)
def test_what_is_no_method_is_told(methods: str, expected: str) -> None:
    assert line(route(f"methods: {methods}")) == expected


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("orders.internal:8000", "must be an http or https URL; write https://…"),
        ("ftp://orders", "must be an http or https URL; write https://…"),
        ("http://", "is no URL: its host or port is wrong; write https://host:port/path"),
        ("http://a:0", "is no URL: its host or port is wrong; write https://host:port/path"),
        ("http://a:", "is no URL: its host or port is wrong; write https://host:port/path"),
        ("http://a:99999", "is no URL: its host or port is wrong; write https://host:port/path"),
        ("http://[::1", "is no URL: its host or port is wrong; write https://host:port/path"),
        ("http://a b", "is no URL; write https://host/path, other characters as %XX"),
        ("http://u:p@a", "holds a user name; credentials do not belong into a URL, leave them out"),
        ("http://a/#x", "has a fragment; leave out # and what follows"),
        ("http://a/v2", "has a path; write scheme, host and port, and the path as add_prefix"),
        ("http://a?x=1", "has a path; write scheme, host and port, and the path as add_prefix"),
    ],
)
def test_what_is_no_url_of_an_upstream_is_told(url: str, fault: str) -> None:
    assert line(ROUTE.replace("http://orders.internal:8000", f'"{url}"')) == f"2:27: routes.orders.upstream: {fault}"


@pytest.mark.parametrize("url", ["http://10.0.0.1:80", "https://a/", "http://[::1]:8000", "http://orders"])
def test_an_upstream_may_be_reached_by_plain_http_anywhere(url: str) -> None:
    assert lines(ROUTE.replace("http://orders.internal:8000", f'"{url}"')) == []


def test_options_of_an_upstream_are_judged_like_all_others() -> None:
    upstream = "{targets: [ftp://a], connections: 0, host: calle, conections: 1, ca_file: none.pem, key_file: none.key}"
    told = lines(ROUTE.replace("http://orders.internal:8000", upstream))
    assert [each.partition("upstream.")[2] for each in told] == [
        "targets.0: must be an http or https URL; write https://…",
        "connections: must be at least 1",
        "host: must be one of upstream, caller; did you mean caller?",
        "conections: is not known here; did you mean connections?",
        "ca_file: there is no such file; paths start at the folder of the configuration",
        "key_file: there is no such file; paths start at the folder of the configuration",
    ]


def probe(written: str) -> str:
    """A configuration whose upstream has this probe."""
    return ROUTE.replace("http://orders.internal:8000", f"{{targets: [http://a], probe: {written}}}")


def test_targets_are_not_asked_unless_a_path_is_written() -> None:
    assert orders(ROUTE).upstream.probe is None
    asked = orders(probe("{path: /healthz}")).upstream.probe
    assert asked is not None
    assert (asked.interval, asked.timeout, asked.statuses, asked.failures, asked.successes) == (
        5, 2, ("200-299",), 3, 1,
    )  # fmt: skip


@pytest.mark.parametrize("written", ["200-399", "[200-399]", "204", "[204, 401]", "'204'"])
def test_statuses_are_numbers_and_ranges_and_one_needs_no_list(written: str) -> None:
    asked = orders(probe(f"{{path: /healthz, statuses: {written}}}")).upstream.probe
    assert asked is not None
    assert asked.statuses in {("200-399",), ("204",), ("204", "401")}


NO_STATUS = "is no final status and no range of them; write 200, or 200-399"
NO_TARGET = "is no path; write one that begins with a slash, as in /healthz, other characters as %XX"


@pytest.mark.parametrize("path", ["healthz", "http://a/healthz", "'/a b'", "/a#b", '"/a\\r\\n"', "/%zz", "/ä", "''"])
def test_what_is_no_target_of_a_probe_is_told(path: str) -> None:
    told = lines(probe(f"{{path: {path}}}"))
    assert [each.partition("upstream.probe.")[2] for each in told] == [f"path: {NO_TARGET}"]


@pytest.mark.parametrize("statuses", ["99", "100", "600", "2xx", "299-200", "199-200", "200-", "2000"])
def test_what_is_no_final_status_is_told(statuses: str) -> None:
    told = lines(probe(f"{{path: /, statuses: [{statuses}]}}"))
    assert [each.partition("upstream.probe.")[2] for each in told] == [f"statuses.0: {NO_STATUS}"]


def test_options_of_a_probe_are_judged_like_all_others() -> None:
    told = lines(probe("{intervall: 5, timeout: 0, statuses: [], failures: 0, successes: null}"))
    assert sorted(each.partition("upstream.probe.")[2].partition(":")[0] for each in told) == [
        "failures", "intervall", "path", "statuses", "successes", "timeout",
    ]  # fmt: skip


@pytest.mark.parametrize("path", ["/", "/healthz", "/a?b=c&d=%20", "/a/./b;c", "/a:b@c"])
def test_a_probe_asks_for_any_target_that_a_request_may_have(path: str) -> None:
    assert lines(probe(f"{{path: '{path}'}}")) == []


def test_a_key_without_its_certificate_is_told() -> None:
    text = ROUTE.replace("http://orders.internal:8000", f"{{targets: [http://a], key_file: {__file__}}}")
    assert line(text) == (
        "2:27: routes.orders.upstream.certificate_file: is missing; key_file is the key of a "
        "certificate, write its path"
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (
            "{}",
            [
                "path: is missing; write path: /orders",
                'policies: is missing; write policies: [{"token-enforcement": {"provider": "okta"}}]',
                "upstream: is missing; write upstream: http://orders.internal:8000",
            ],
        ),
        (
            "{path: /a, upstream: {}, policies: []}",
            ['upstream.targets: is missing; write targets: ["http://orders.internal:8000"]'],
        ),
    ],
)
def test_what_a_route_needs_is_told_with_an_example(written: str, expected: list[str]) -> None:
    assert [each.partition("routes.a.")[2] for each in lines(f"routes: {{a: {written}}}")] == expected


@pytest.mark.parametrize("name", ["Orders", "a_b", "a b", "ä", '""'])
def test_a_name_of_a_route_is_of_lower_case_letters_digits_and_dashes(name: str) -> None:
    told = line(ROUTE.replace("  orders:", f"  {name}:"))
    assert told.endswith("is no name; write lower-case letters, digits and dashes")
    assert told.startswith("2:3: routes.")


@pytest.mark.parametrize(
    ("strip", "fault"),
    [
        ("/ord", "is not at the front of the route's path /orders; write whole segments of it"),
        ("/orders/x", "is not at the front of the route's path /orders; write whole segments of it"),
        ("/orders/", "must not end with a slash; write /orders"),
        ("/{id}", "cannot hold {name}; write plain segments"),
        ("orders", "must begin with a slash, as in /orders"),
    ],
)
def test_a_prefix_to_strip_is_whole_segments_of_the_path(strip: str, fault: str) -> None:
    assert line(route(f'strip_prefix: "{strip}"')) == f"3:5: routes.orders.strip_prefix: {fault}"


@pytest.mark.parametrize("strip", ["/orders", "/"])
def test_a_prefix_of_the_path_may_be_stripped(strip: str) -> None:
    assert lines(route(f"strip_prefix: {strip}")) == []


def two(first: str, second: str) -> list[str]:
    upstream = "upstream: http://a, policies: []"
    return lines(f"routes:\n  one: {{{first}, {upstream}}}\n  two: {{{second}, {upstream}}}\n")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("path: /a", "path: /a"),
        ("path: '/a/{id}'", "path: '/a/{name}'"),
        ("path: /a, methods: [GET, PUT]", "path: /a, methods: [PUT]"),
        ("path: /a, methods: [GET]", "path: /a"),
        ("path: /a, hosts: [x, y]", "path: /a, hosts: [y]"),
        ("path: /a, exact: true", "path: /a, exact: true"),
    ],
)
@pytest.mark.case("C190")
def test_routes_that_nobody_could_tell_apart_are_told(first: str, second: str) -> None:
    (told,) = two(first, second)
    assert told.startswith(
        "tokenward.yaml:3:9: routes.two.path: the route one has the same host, path and a common method;"
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("path: /a", "path: /b"),
        ("path: /a", "path: /a/b"),
        ("path: '/a/{id}'", "path: /a/b"),
        ("path: /a, exact: true", "path: /a"),
        ("path: /a, methods: [GET]", "path: /a, methods: [PUT]"),
        ("path: /a, hosts: [x]", "path: /a, hosts: [y]"),
        ("path: /a, hosts: [x]", "path: /a"),
    ],
)
def test_routes_of_which_one_is_more_specific_are_no_mistake(first: str, second: str) -> None:
    assert two(first, second) == []


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("opening-hours", "7:9: routes.orders.policies.0: must be a mapping of one policy; write - opening-hours: {}"),
        ("{}", "7:9: routes.orders.policies.0: names no policy; write - opening-hours: {}"),
        ("{when: {methods: [GET]}}", "7:9: routes.orders.policies.0: names no policy; write - opening-hours: {}"),
        (
            "{opening-hours: {}, whne: {}}",
            "7:9: routes.orders.policies.0: must name one policy, and names opening-hours and whne; did you "
            "mean when for whne?",
        ),
        (
            "{opening-hours: {}, token-enforcement: {}}",
            "7:9: routes.orders.policies.0: must name one policy, and names opening-hours and "
            "token-enforcement; write an entry for each",
        ),
        (
            "{opening-hour: {}}",
            "7:10: routes.orders.policies.0.opening-hour: no policy has this name; did you mean opening-hours?",
        ),
        ("{json:loads: {}}", "7:10: routes.orders.policies.0.json:loads: json:loads is no class"),
        (
            "{opening-hours: {opens: early}}",
            "7:26: routes.orders.policies.0.opening-hours.opens: must be a whole number",
        ),
        (
            "{opening-hours: {open: 9}}",
            "7:26: routes.orders.policies.0.opening-hours.open: is not known here; did you mean opens?",
        ),
        (
            "{opening-hours: {opens: 19}}",
            "7:10: routes.orders.policies.0.opening-hours: opens must come before closes, and both lie "
            "between 0 and 24",
        ),
        ("{opening-hours: {}, report_only: 1}", "7:29: routes.orders.policies.0.report_only: must be true or false"),
    ],
)
def test_the_line_about_a_policy(entry: str, expected: str) -> None:
    assert line(policies(entry)) == expected


def test_a_policy_without_options_has_its_defaults() -> None:
    (entry,) = orders(policies("opening-hours:")).policies
    assert (entry.name, entry.policy.opens, entry.when, entry.report_only) == ("opening-hours", 8, None, False)


def test_what_a_policy_is_asked_about_is_kept_beside_it() -> None:
    (entry,) = orders(
        policies("{opening-hours: {opens: 9}, when: {methods: [GET], regex: '.*'}, report_only: true}")
    ).policies
    assert entry.when is not None
    assert (entry.policy.opens, entry.when.methods, entry.when.regex, entry.report_only) == (9, ("GET",), ".*", True)
