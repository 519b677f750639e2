"""The metadata: where it is, whose it is, what is missing."""

from pathlib import Path

from tests.certificates import Authority
from tests.doctor.examining import described, examined, found, provider, report_on, settings
from tests.faulty_server import answer, document, faulty_server, html, huge, redirect, silent

BY_HAND = "write endpoints.introspection and endpoints.jwks, which makes the metadata unnecessary"


async def test_metadata_that_is_ours() -> None:
    async with provider() as server:
        report = await examined(settings(described(server.url)))
    assert found(report, "metadata") == ("ok", f"{server.url}/.well-known/openid-configuration answered.", "")
    assert found(report, "issuer") == ("ok", f"It is {server.url}, byte for byte.", "")
    assert found(report, "endpoints") == (
        "ok",
        "Found: introspection, jwks, token; missing: authorization, registration, revocation, userinfo.",
        "",
    )


async def test_the_second_place_counts_when_the_first_has_nothing() -> None:
    async with faulty_server(answer(status=404)) as server:
        said = {"issuer": server.url, "jwks_uri": f"{server.url}/jwks", "introspection_endpoint": f"{server.url}/i"}
        server.script = [answer(status=404), document(said), answer(status=404)]
        report = await examined(settings(described(server.url)))
    assert found(report, "metadata")[1] == f"{server.url}/.well-known/oauth-authorization-server answered."


async def test_an_issuer_with_a_slash_too_few_is_told_what_to_write() -> None:
    async with provider() as server:
        server.script = [document({"issuer": f"{server.url}/", "jwks_uri": f"{server.url}/jwks"})]
        report = await examined(settings(described(server.url)))
    assert found(report, "issuer") == (
        "failure",
        f"The provider calls itself {server.url}/, with a slash at its end.",
        f"Write issuer: {server.url}/",
    )


async def test_an_issuer_with_a_slash_too_many_is_told_what_to_write() -> None:
    async with provider() as server:
        report = await examined(settings(described(f"{server.url}/")))
    assert found(report, "issuer") == (
        "failure",
        f"The provider calls itself {server.url}, without a slash at its end.",
        f"Write issuer: {server.url}",
    )


async def test_another_issuer() -> None:
    report = await report_on(metadata={"issuer": "https://other.example"})
    result, seen, advice = found(report, "issuer")
    assert (result, seen.partition(": ")[0]) == (
        "failure",
        "The provider calls itself https://other.example, another one than was written",
    )
    assert advice == "If that is the provider you mean, write issuer: https://other.example"


async def test_an_issuer_that_differs_in_its_scheme() -> None:
    report = await report_on(say=lambda url: {"metadata": {"issuer": url.replace("http:", "https:")}})
    assert ", it differs in its scheme: http://127.0.0.1:" in found(report, "issuer")[1]


async def test_an_issuer_that_stands_for_many() -> None:
    report = await report_on(metadata={"issuer": "https://login.example/{tenantid}/v2.0"})
    assert found(report, "issuer") == (
        "failure",
        "The provider calls itself https://login.example/{tenantid}/v2.0, which stands for many issuers.",
        "Write the issuer of your own tenant, as its tokens name it.",
    )


async def test_metadata_without_an_issuer() -> None:
    report = await report_on(metadata={"issuer": None})
    assert found(report, "issuer") == (
        "failure",
        "The metadata names no issuer, and counts for nothing.",
        f"Instead {BY_HAND}.",
    )


async def test_a_page_for_people_in_place_of_the_metadata() -> None:
    async with faulty_server(html()) as server:
        report = await examined(settings(described(server.url)))
    assert found(report, "metadata") == (
        "failure",
        f"{server.url}/.well-known/openid-configuration answered text/html, which is no JSON object.",
        f"Write metadata: its URL, or {BY_HAND}.",
    )


async def test_no_metadata_anywhere() -> None:
    async with faulty_server(answer(status=404)) as server:
        report = await examined(settings(described(server.url)))
    well_known = f"{server.url}/.well-known"
    assert found(report, "metadata") == (
        "failure",
        f"{well_known}/openid-configuration answered 404; {well_known}/oauth-authorization-server answered 404.",
        f"Write metadata: its URL, or {BY_HAND}.",
    )


async def test_metadata_that_moved() -> None:
    async with faulty_server(redirect("https://sso.example.com/metadata?key=s3cret")) as server:
        report = await examined(settings(described(server.url)))
    assert found(report, "metadata")[2] == (
        "Redirects are not followed; write metadata: https://sso.example.com/metadata, if that is the provider."
    )


async def test_a_provider_that_connects_and_says_nothing() -> None:
    async with faulty_server(silent()) as server:
        report = await examined(settings(described(server.url, transport={"timeout": 0.2})))
    url = f"{server.url}/.well-known/openid-configuration"
    assert found(report, "metadata") == (
        "failure",
        f"{url}: 127.0.0.1 did not answer in time (provider_timeout).",
        "Look at the provider's log; it takes connections, and does not answer.",
    )


async def test_what_comes_after_the_metadata_is_skipped_without_it() -> None:
    async with faulty_server(html()) as server:
        report = await examined(settings(described(server.url)))
    skipped = ("skipped", "Where it is, nobody knows without the metadata.", "First mend what is said above.")
    assert found(report, "keys") == skipped
    assert found(report, "credentials") == skipped


async def test_metadata_with_an_endpoint_that_cannot_be_trusted() -> None:
    report = await report_on(metadata={"jwks_uri": "http://elsewhere.example/jwks"})
    result, seen, advice = found(report, "metadata")
    assert result == "failure"
    assert seen.endswith("answered, but its jwks_uri is plain http to another machine; it must begin with https://.")
    assert advice == f"Have it mended, or {BY_HAND}."


async def test_a_provider_without_introspection_although_we_have_a_client_there() -> None:
    report = await report_on(metadata={"introspection_endpoint": None})
    assert found(report, "endpoints") == (
        "failure",
        "Found: jwks, token; missing: introspection, authorization, registration, revocation, userinfo.",
        "Write endpoints.introspection: its URL; if there is none, dialect.order: keys_only.",
    )


async def test_metadata_that_is_larger_than_we_accept() -> None:
    async with faulty_server(huge(300_000)) as server:
        report = await examined(settings(described(server.url)))
    url = f"{server.url}/.well-known/openid-configuration"
    assert found(report, "metadata") == (
        "failure",
        f"{url}: 127.0.0.1 sent more than we accept (provider_answer).",
        f"Write metadata: its URL, or {BY_HAND}.",
    )


async def test_a_provider_that_asks_for_our_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = authority.issue().serve(client_ca=authority.file)
    async with faulty_server(html(), tls=tls) as server:
        report = await examined(settings(described(server.url, transport={"ca_file": str(authority.file)})))
    result, _, advice = found(report, "metadata")
    assert (result, found(report, "reachable")[0]) == ("failure", "ok")
    assert advice == (
        "If it asks for a certificate, write transport.certificate_file and key_file; if not, look at its log."
    )
