"""Routes, their upstreams, and our own side."""

import errno
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.doctor import Report
from gateway.doctor.listening import refused
from gateway.settings.grammar import Address
from tests.certificates import Authority, self_signed
from tests.doctor.examining import all_of, described, examined, found, provider, report_on, settings
from tests.faulty_server import black_hole, faulty_server, html, refusing_port

UPSTREAM = "upstream of route orders"


async def upstream(**options: Any) -> Report:
    return await examined(settings(None, upstream=options))


async def test_an_upstream_that_takes_connections_is_sent_nothing() -> None:
    async with faulty_server(html()) as server:
        report = await upstream(targets=[server.url])
    assert found(report, "reachable", UPSTREAM) == ("ok", f"127.0.0.1:{server.port} takes connections (TCP).", "")
    assert (server.connections, server.received) == (1, [])


async def test_an_upstream_that_refuses() -> None:
    with refusing_port() as port:
        report = await upstream(targets=[f"http://127.0.0.1:{port}"])
    assert found(report, "reachable", UPSTREAM) == (
        "failure",
        f"127.0.0.1:{port} refuses connections (upstream_unreachable).",
        "Start the server, or correct host and port.",
    )
    assert not report.healthy


async def test_an_upstream_that_does_not_answer_is_given_up_after_its_own_timeout() -> None:
    with black_hole() as port:
        report = await upstream(targets=[f"http://127.0.0.1:{port}"], connect_timeout=0.1)
    assert found(report, "reachable", UPSTREAM)[2] == (
        "Open the way in the firewalls, or write a longer upstream.connect_timeout."
    )


async def test_one_target_of_several_that_is_gone_is_worth_a_warning() -> None:
    with refusing_port() as port:
        async with faulty_server(html()) as server:
            report = await upstream(targets=[f"http://127.0.0.1:{port}", server.url])
    results = [finding.result.value for finding in all_of(report, UPSTREAM, "reachable")]
    assert results == ["warning", "ok"]
    assert report.healthy


async def test_the_certificate_of_an_upstream(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with faulty_server(html(), tls=authority.issue().serve()) as server:
        url = f"https://127.0.0.1:{server.port}"
        trusted = await upstream(targets=[url], ca_file=str(authority.file))
        distrusted = await upstream(targets=[url])
    assert found(trusted, "certificate", UPSTREAM)[0] == "warning"
    assert found(distrusted, "reachable", UPSTREAM)[2] == (
        "Write upstream.ca_file: the path of the authority's certificate in PEM."
    )


async def caller_named(server_port: int, authority: Authority, **route: Any) -> Report:
    target = {"targets": [f"https://127.0.0.1:{server_port}"], "ca_file": str(authority.file), "host": "caller"}
    orders = {"path": "/orders", "upstream": target, "policies": [], **route}
    return await examined(settings(None, routes={"orders": orders}))


async def test_an_upstream_that_gets_the_callers_host_is_asked_for_that_name(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with faulty_server(html(), tls=authority.issue("api.example.com").serve()) as server:
        report = await caller_named(server.port, authority, hosts=["api.example.com"])
    assert found(report, "reachable", UPSTREAM)[0] == "ok"


async def test_an_upstream_whose_name_only_callers_know(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with faulty_server(html(), tls=authority.issue("api.example.com").serve()) as server:
        report = await caller_named(server.port, authority)
    assert found(report, "reachable", UPSTREAM)[0] == "ok"
    assert found(report, "certificate", UPSTREAM) == (
        "skipped",
        f"Which name the certificate of 127.0.0.1:{server.port} must have depends on the caller's Host.",
        "Write hosts on the route, or host: upstream.",
    )


async def test_files_of_an_upstream_that_cannot_be_used(tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("no certificate")
    report = await upstream(targets=["https://127.0.0.1:9"], certificate_file=str(rubbish))
    assert found(report, "files", UPSTREAM) == (
        "failure",
        "upstream.certificate_file or key_file is not in PEM, or its key has a passphrase; the gateway would not start "
        "with it.",
        "Correct the files under upstream.",
    )


async def test_an_upstream_of_several_routes_is_tried_once() -> None:
    async with faulty_server(html()) as server:
        routes = {name: {"path": f"/{name}", "upstream": server.url, "policies": []} for name in ("orders", "invoices")}
        report = await examined(settings(None, routes=routes))
    assert found(report, "reachable", "upstream of routes orders, invoices")[0] == "ok"
    assert server.connections == 1


async def test_a_second_way_that_leads_nowhere() -> None:
    report = await report_on(keys=html(500))
    assert found(report, "fallback", "route orders") == (
        "warning",
        "Its order is introspect_then_keys, and the keys of idp cannot be had: while idp fails, every token that is "
        "not in memory gets 503.",
        "Mend the keys of idp, or write order: introspect_only and mean it.",
    )
    assert report.healthy


@pytest.mark.parametrize("order", ["introspect_only", "keys_first"])
async def test_no_second_way_is_missed_where_there_should_be_none(order: str) -> None:
    report = await report_on(route={"order": order}, keys=html(500))
    assert all_of(report, "route orders", "fallback") == []


async def test_a_contract_that_nobody_has() -> None:
    report = await report_on(route={"contract": "required"})
    assert found(report, "contract", "route orders") == (
        "warning",
        "It requires a contract, and no client is listed for the API orders: every token gets 403.",
        "Write under clients: - {provider: idp, client_id: …, apis: [orders]}",
    )


async def test_a_contract_that_somebody_has() -> None:
    clients = [{"provider": "idp", "client_id": "mobile", "apis": ["orders"]}]
    async with provider() as server:
        options = described(server.url)
        report = await examined(settings(options, {"contract": "required"}, clients=clients))
    assert all_of(report, "route orders", "contract") == []


# Our own side.


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


async def test_addresses_that_are_free() -> None:
    report = await examined(settings(None))
    seen = [finding.seen for finding in all_of(report, "listeners", "address")]
    assert seen == ["127.0.0.1:0 (listen) is free.", "127.0.0.1:0 (admin.listen) is free."]


async def test_an_address_in_use_may_be_the_gateway_itself(taken: int) -> None:
    report = await examined(settings(None, listen=f"127.0.0.1:{taken}"))
    finding = all_of(report, "listeners", "address")[0]
    assert (finding.result, finding.seen, finding.advice) == (
        "skipped",
        f"127.0.0.1:{taken} (listen) is in use; the gateway itself may be running.",
        "If it is not, end what listens there, or write another address.",
    )


async def test_an_address_that_is_not_of_this_machine() -> None:
    # RFC 5737: 192.0.2.0/24 is for documentation, and nobody has it.
    report = await examined(settings(None, admin={"listen": "192.0.2.1:0"}))
    finding = all_of(report, "listeners", "address")[1]
    assert (finding.result, finding.seen, finding.advice) == (
        "failure",
        "192.0.2.1:0 (admin.listen) cannot be had: cannot assign requested address.",
        "Write another address under admin.listen.",
    )


async def our_tls(tmp_path: Path, host: str, *hosts: str, **tls: str) -> Report:
    pair = self_signed(tmp_path, host)
    files = {"certificate_file": str(pair.certificate), "key_file": str(pair.key), **tls}
    orders = {"path": "/orders", "hosts": list(hosts), "upstream": "http://127.0.0.1:9", "policies": []}
    return await examined(settings(None, tls=files, routes={"orders": orders}))


async def test_the_certificate_that_callers_see(tmp_path: Path) -> None:
    report = await our_tls(tmp_path, "api.example.com", "api.example.com")
    seen = "The certificate and its key go together; it is for api.example.com."
    assert found(report, "TLS", "listeners") == ("ok", seen, "")
    assert found(report, "certificate", "listeners") == (
        "warning",
        "The certificate that callers see expires in 0 days.",
        "Have it renewed, and reload.",
    )
    assert all_of(report, "listeners", "names") == []


async def test_hosts_that_the_certificate_does_not_cover(tmp_path: Path) -> None:
    report = await our_tls(tmp_path, "api.example.com", "api.example.com", "www.example.com", "*.example.com")
    assert found(report, "names", "listeners") == (
        "warning",
        "The certificate is not for www.example.com, *.example.com, which routes name as hosts.",
        "Have it issued for these names too, or let what stands in front of the gateway end TLS.",
    )


async def test_a_key_that_is_not_the_certificates(tmp_path: Path) -> None:
    other = self_signed(tmp_path)
    report = await our_tls(tmp_path, "api.example.com", key_file=str(other.key))
    assert found(report, "TLS", "listeners") == (
        "failure",
        "tls.key_file is not the key of certificate_file; the gateway would not start with it.",
        "Correct the files under tls.",
    )


async def test_authorities_for_callers_that_are_none(tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("no certificate")
    report = await our_tls(tmp_path, "api.example.com", client_ca_file=str(rubbish))
    assert found(report, "TLS", "listeners")[1].startswith("tls.client_ca_file holds no certificates in PEM;")


async def test_a_key_with_a_passphrase_is_not_asked_for_at_the_terminal(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization as form

    pair = self_signed(tmp_path)
    key = form.load_pem_private_key(pair.key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    sealed = form.BestAvailableEncryption(b"a passphrase")
    locked.write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, sealed))
    report = await our_tls(tmp_path, "api.example.com", key_file=str(locked))
    assert "or its key has a passphrase" in found(report, "TLS", "listeners")[1]


def test_a_port_that_needs_a_privilege() -> None:
    finding = refused(Address("127.0.0.1", 80), "listen", OSError(errno.EACCES, "Permission denied"))
    assert (finding.seen, finding.advice) == (
        "127.0.0.1:80 (listen) cannot be had: permission denied.",
        "Write a port from 1024 on under listen, or give the process CAP_NET_BIND_SERVICE.",
    )
