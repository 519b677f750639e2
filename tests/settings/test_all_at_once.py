"""Every mistake of a file is told at once, in the order of the file, and none because of another."""

from pathlib import Path

import pytest

from gateway.settings import Mistake, SettingsError, load
from gateway.settings.mistakes import told
from tests.settings import OKTA, ROUTE, lines

WRONG = """\
listen: [nowhere, 127.0.0.1:80]
listen: 127.0.0.1:80
log_level: ${LEVEL}
timeouts: {head: -1, tail: 3}
providers:
  okta:
    preset: okta
    issuer: http://example.okta.com
    introspection: {client_id: gateway, client_secret: changeme, secret: a}
  sso:
    preset: keycloak
    introspection: {client_id: gateway, client_secret: "${SSO_SECRET}"}
clients:
  - {provider: okta, client_id: 7, apis: [orders]}
  - {provider: oktb, client_id: mobile, apis: [order]}
routes:
  orders:
    path: /orders
    methods: [get]
    upstream: ftp://orders
    strip_prefix: /other
    policies:
      - token-enforcement: {provider: okta, scope: [a]}
      - token-enforcement: {provider: sso}
      - token-enforcement: {provider: unknown}
        when: {paths: [/other], method: [GET]}
  first: {path: /same, upstream: http://a, policies: []}
  second: {path: /same, upstream: http://a, policies: [], bdy: 5}
"""


def test_all_mistakes_are_told_in_the_order_of_the_file() -> None:
    assert [each.removeprefix("tokenward.yaml:") for each in lines(WRONG)] == [
        "1:10: listen.0: is no address to listen on; write host:port, as in 127.0.0.1:8080 or [::]:8080",
        "2:1: listen: is written twice; the first is in line 1, keep one",
        "3:1: log_level: the environment variable LEVEL is not set; set it, or write ${LEVEL:-default}",
        "4:12: timeouts.head: must be greater than 0",
        "4:22: timeouts.tail: is not known here; write one of body, head, keep_alive",
        "8:5: providers.okta.issuer: is plain http to another machine; it must begin with https://; "
        "write https://host/path, with http:// on loopback only",
        "9:41: providers.okta.introspection.client_secret: is a placeholder that everybody knows; "
        "write a secret of your own",
        "9:66: providers.okta.introspection.secret: is not known here; did you mean client_secret?",
        "10:3: providers.sso.issuer: is missing; the preset keycloak needs it, such as "
        "https://sso.example.com/realms/orders",
        "12:41: providers.sso.introspection.client_secret: the environment variable SSO_SECRET is not set; "
        "set it, or write ${SSO_SECRET:-default}",
        "14:22: clients.0.client_id: must be text; put it between quotes",
        "15:6: clients.1.provider: no provider is called oktb; did you mean okta?",
        "15:48: clients.1.apis.0: no route belongs to the API order; did you mean orders?",
        "19:15: routes.orders.methods.0: must be in upper case; write GET",
        "20:5: routes.orders.upstream: must be an http or https URL; write https://…",
        "21:5: routes.orders.strip_prefix: is not at the front of the route's path /orders; write whole segments of it",
        "23:45: routes.orders.policies.0.token-enforcement.scope: is not known here; did you mean scopes?",
        "25:29: routes.orders.policies.2.token-enforcement.provider: there is no provider 'unknown'; write okta, sso",
        "26:24: routes.orders.policies.2.when.paths.0: matches nothing under the route's path /orders; "
        "write whole paths, as the caller sends them",
        "26:33: routes.orders.policies.2.when.method: is not known here; did you mean methods?",
        "28:12: routes.second.path: the route first has the same host, path and a common method; change one of them",
        "28:59: routes.second.bdy: is not known here; did you mean body?",
    ]


def test_a_part_that_is_faulty_is_left_out_and_all_others_are_cross_checked() -> None:
    text = f"""\
clients:
  - {{provider: okta, client_id: 7, apis: [orders]}}
  - {{provider: okta, client_id: 8}}
  - {{provider: nobody, client_id: mobile, apis: [orders]}}
{OKTA}routes:
  orders:
    path: /orders
    upstream: http://a
    policies:
      - opening-hours: {{opens: 99}}
      - opening-hours: {{}}
        when: {{paths: [/other]}}
"""
    assert [each.partition(": ")[2].partition(": ")[0] for each in lines(text)] == [
        "clients.0.client_id",
        "clients.1.apis",
        "clients.1.client_id",
        "clients.2.provider",
        "routes.orders.policies.0.opening-hours",
        "routes.orders.policies.1.when.paths.0",
    ]


def test_a_policy_tells_what_is_wrong_in_view_of_the_providers() -> None:
    text = OKTA + ROUTE.replace("policies: []", "policies: [token-enforcement: {provider: okat}]")
    (told_line,) = lines(text)
    assert told_line.startswith("tokenward.yaml:7:97: routes.orders.policies.0.token-enforcement.provider: ")


def test_a_policy_of_a_faulty_provider_is_told_nothing_more() -> None:
    text = OKTA.replace("https", "http") + ROUTE.replace(
        "policies: []", "policies: [token-enforcement: {provider: okta}]"
    )
    (told_line,) = lines(text)
    assert "providers.okta.issuer" in told_line


def test_routes_overlap_although_something_else_is_wrong_with_them() -> None:
    text = """\
routes:
  first: {path: /same, upstream: ftp://a, policies: []}
  second: {path: /same, policies: [], bdy: 5}
"""
    assert [each.partition(": ")[2].partition(": ")[0] for each in lines(text)] == [
        "routes.first.upstream",
        "routes.second.upstream",
        "routes.second.path",
        "routes.second.bdy",
    ]


def test_a_mistake_is_one_line_with_file_line_column_and_path(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(f"workers: 0\n{ROUTE}")
    with pytest.raises(SettingsError) as caught:
        load(file, {})
    (mistake,) = caught.value.mistakes
    assert mistake == Mistake(str(file), 1, 1, "workers", "must be at least 1")
    assert str(caught.value) == str(mistake) == f"{file}:1:1: workers: must be at least 1"


def test_the_root_has_no_path() -> None:
    assert lines("- a\n") == ["tokenward.yaml:1:1: must be a mapping; write name: value"]
    assert lines("text") == ["tokenward.yaml:1:1: must be a mapping; write name: value"]


def test_a_part_of_a_path_that_could_mislead_is_quoted() -> None:
    assert (
        told(("a", 0, "b.c", "d\x1b[2J", "", "policies.rate:Limit"))
        == 'a.0."b.c"."d\\u001b[2J".""."policies.rate:Limit"'
    )


def test_files_of_policies_and_sections_are_found_from_the_folder_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("x")
    file = tmp_path / "gateway.yaml"
    file.write_text(ROUTE.replace("http://orders.internal:8000", "{targets: [http://a], ca_file: ca.pem}"))
    assert load(file, {}).routes["orders"].upstream.ca_file == str(tmp_path / "ca.pem")


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    (tmp_path / "folder").mkdir()
    file.write_text(ROUTE.replace("http://orders.internal:8000", "{targets: [http://a], ca_file: folder}"))
    with pytest.raises(SettingsError, match=r"upstream\.ca_file: there is no such file"):
        load(file, {})


def test_a_log_file_is_written_below_the_folder_of_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(f"access_log: {{to: access.log}}\n{ROUTE}")
    assert load(file, {}).access_log.to == str(tmp_path / "access.log")
