"""The metadata of a provider: which URL answered, whether its issuer is ours, what it names."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from gateway.doctor.asking import Asking, Heard, told
from gateway.doctor.demands import Wanted
from gateway.doctor.findings import Finding, failure, ok
from gateway.doctor.shown import foreign, plain_url
from gateway.policy import Unavailable
from gateway.providers import Provider
from gateway.providers.discovery import SILENT
from gateway.providers.metadata import Metadata, read_metadata

METADATA = "metadata"
BY_HAND = "write endpoints.introspection and endpoints.jwks, which makes the metadata unnecessary"


@dataclass(frozen=True, slots=True)
class Look:
    """One URL, and what came of it."""

    url: str
    heard: Heard | None
    metadata: Metadata | None
    failure: Unavailable | None


async def look_up(provider: Provider, ask: Asking) -> list[Look]:
    """One look after the other, up to the first that yields the metadata, or finds nobody there."""
    looks: list[Look] = []
    for url in provider.discovery:
        looks.append(await _look(url, provider, ask))
        if looks[-1].metadata is not None or looks[-1].heard is None:
            break
    return looks


async def _look(url: str, provider: Provider, ask: Asking) -> Look:
    heard = None
    try:
        heard = await ask("GET", url)
        return Look(url, heard, read_metadata(heard.reply, provider), None)
    except Unavailable as failure:
        return Look(url, heard, None, failure)


def judge_looks(looks: list[Look], wanted: Wanted) -> Iterator[Finding]:
    """What there is to say of them."""
    last = looks[-1]
    if last.metadata is not None:
        yield ok(METADATA, f"{plain_url(last.url)} answered.")
        yield ok("issuer", f"It is {foreign(wanted.provider.issuer)}, byte for byte.")
        yield _endpoints(last.metadata, wanted)
    else:
        yield _failed(_most_telling(looks), looks, wanted.provider)


def _most_telling(looks: list[Look]) -> Look:
    """A server that has nothing at one of the places says little: its other answers come first."""
    return next((look for look in looks if look.failure and look.failure.code != "metadata_status"), looks[0])


def _failed(look: Look, looks: list[Look], provider: Provider) -> Finding:
    assert look.failure is not None  # noqa: S101 - it failed
    url, heard, code = plain_url(look.url), look.heard, look.failure.code
    if heard is None:
        return _unanswered(look.failure, url, provider)
    match code:
        case "metadata_status":
            return _nowhere(looks)
        case "metadata_issuer":
            return _other_issuer(heard, provider)
        case "metadata_malformed":
            kind = foreign(heard.reply.media_type) or "no media type"
            return failure(
                METADATA, f"{url} answered {kind}, which is no JSON object.", f"Write metadata: its URL, or {BY_HAND}."
            )
        case _:
            return failure(METADATA, f"{url} answered, but {look.failure.detail}", f"Have it mended, or {BY_HAND}.")


def _unanswered(failed: Unavailable, url: str, provider: Provider) -> Finding:
    seen = f"{url}: {told(failed)}"
    # A server that misses our certificate says so after the handshake, and its goodbye may overtake its reason.
    broke_off = failed.code in {"provider_tls", "provider_unreachable"} and url.startswith("https:")
    if broke_off and provider.transport.certificate_file is None:
        advice = "If it asks for a certificate, write transport.certificate_file and key_file; if not, look at its log."
        return failure(METADATA, seen, advice)
    if failed.code in SILENT:
        return failure(METADATA, seen, "Look at the provider's log; it takes connections, and does not answer.")
    return failure(METADATA, seen, f"Write metadata: its URL, or {BY_HAND}.")


def _nowhere(looks: list[Look]) -> Finding:
    tried = "; ".join(f"{plain_url(look.url)} answered {look.heard.status}" for look in looks if look.heard)
    advice = f"Write metadata: its URL, or {BY_HAND}."
    for look in looks:
        location = look.heard.reply.headers.get("Location") if look.heard and 300 <= look.heard.status < 400 else None
        if location:
            advice = f"Redirects are not followed; write metadata: {plain_url(location)}, if that is the provider."
    return failure(METADATA, f"{tried}.", advice)


def _other_issuer(heard: Heard, provider: Provider) -> Finding:
    theirs, ours = (heard.document or {}).get("issuer"), provider.issuer
    if not isinstance(theirs, str) or not theirs:
        return failure("issuer", "The metadata names no issuer, and counts for nothing.", f"Instead {BY_HAND}.")
    shown = foreign(theirs)
    if ours is not None and theirs.rstrip("/") == ours.rstrip("/"):
        more = "with a slash at its end" if theirs.endswith("/") else "without a slash at its end"
        return failure("issuer", f"The provider calls itself {shown}, {more}.", f"Write issuer: {shown}")
    if "{" in theirs:
        return failure(
            "issuer",
            f"The provider calls itself {shown}, which stands for many issuers.",
            "Write the issuer of your own tenant, as its tokens name it.",
        )
    kind = "it differs in its scheme" if ours and _rest(theirs) == _rest(ours) else "another one than was written"
    return failure(
        "issuer",
        f"The provider calls itself {shown}, {kind}: {foreign(ours)}.",
        f"If that is the provider you mean, write issuer: {shown}",
    )


def _rest(issuer: str) -> str:
    parts = urlsplit(issuer)
    return f"{parts.netloc}{parts.path}"


def _endpoints(metadata: Metadata, wanted: Wanted) -> Finding:
    named = asdict(metadata.endpoints)
    found = ", ".join(name for name, url in named.items() if url is not None) or "none"
    missing = ", ".join(name for name, url in named.items() if url is None)
    seen = f"Found: {found}{f'; missing: {missing}' if missing else ''}."
    if metadata.endpoints.introspection is None and wanted.introspects:
        advice = "Write endpoints.introspection: its URL; if there is none, dialect.order: keys_only."
        return failure("endpoints", seen, advice)
    return ok("endpoints", seen)
