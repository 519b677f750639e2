"""Cross checks of identity providers: what each needs is there, and its URLs can be trusted."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from gateway.providers import ClientAuthentication, Endpoints, Order
from gateway.providers.presets import PRESETS
from gateway.settings.credentials import check_credentials, check_header, check_secret
from gateway.settings.mistakes import Path, Wrong
from gateway.settings.providers import ProviderSettings, dialect, endpoints
from gateway.settings.urls import is_local, issuer_fault, provider_url_fault, url_fault

ORDERS: dict[Order, tuple[str, ...]] = {
    Order.INTROSPECT_THEN_KEYS: ("introspection", "jwks"),
    Order.KEYS_FIRST: ("jwks",),
    Order.INTROSPECT_ONLY: ("introspection",),
    Order.KEYS_ONLY: ("jwks",),
}
"""The endpoints that each order cannot do without."""

ZERO_IS_SENSE = ("cool_down", "verified_tokens", "rejected_tokens")


DECISIVE: tuple[Path, ...] = (("preset",), ("dialect", "order"), ("introspection", "authentication"))
"""What says what a provider needs: where one of these is faulty, nobody knows."""


def check_providers(providers: Mapping[str, ProviderSettings], faulty: Callable[[Path], bool]) -> Iterator[Wrong]:
    """What is wrong with each provider by itself. `faulty` says what was told of a value already."""
    for name, settings in providers.items():
        if not any(faulty(("providers", name, *path)) for path in DECISIVE):
            for wrong in _provider(settings):
                yield Wrong(("providers", name, *wrong.path), wrong.text)


def _provider(settings: ProviderSettings) -> Iterator[Wrong]:
    yield from _urls(settings)
    yield from _origin(settings)
    yield from _order(settings)
    yield from _clients(settings)
    yield from _registration(settings)
    yield from _certificate(settings)
    for section in ("transport", "limits", "keys"):
        yield from _numbers((section,), getattr(settings, section))


def _clients(settings: ProviderSettings) -> Iterator[Wrong]:
    """Our own clients there."""
    registration = settings.registration
    for path, written in (
        (("introspection",), settings.introspection),
        (("registration", "client"), None if registration is None else registration.client),
    ):
        if written is None:
            continue
        if (
            written.authentication is ClientAuthentication.TLS_CLIENT_AUTH
            and settings.transport.certificate_file is None
        ):
            text = "is missing; tls_client_auth shows our certificate, write its path"
            yield Wrong(("transport", "certificate_file"), text)
        for wrong in check_credentials(written, local=_is_local(settings)):
            yield Wrong((*path, *wrong.path), wrong.text)


def _is_local(settings: ProviderSettings) -> bool:
    url = settings.issuer or settings.endpoints.introspection
    return url is not None and is_local(url)


def _registration(settings: ProviderSettings) -> Iterator[Wrong]:
    registration = settings.registration
    if registration is None:
        return
    opens = ("authorization", "initial_access_token", "client")
    for name in [name for name in opens if getattr(registration, name) is not None][1:]:
        text = f"is too much; write one of {', '.join(opens)}, or none where registration is open to anybody"
        yield Wrong(("registration", name), text)
    for name in ("authorization", "initial_access_token"):
        value = getattr(registration, name)
        yield from check_header(("registration", name), value)
        if not _is_local(settings):
            yield from check_secret(("registration", name), value)
    for name in ("grant_types", "authentication"):
        if not getattr(registration, name):
            yield Wrong(("registration", name), "is empty; write what developers may choose from")
    fault = None if registration.client_url is None else _template_fault(registration.client_url)
    if fault is not None:
        yield Wrong(("registration", "client_url"), fault)


def _urls(settings: ProviderSettings) -> Iterator[Wrong]:
    faults: list[tuple[Path, str | None]] = []
    if settings.issuer is not None:
        faults.append((("issuer",), issuer_fault(settings.issuer)))
    if settings.metadata is not None:
        faults.append((("metadata",), provider_url_fault(settings.metadata)))
    if settings.transport.proxy is not None:
        faults.append((("transport", "proxy"), url_fault(settings.transport.proxy)))
    for each in fields(Endpoints):
        url = getattr(settings.endpoints, each.name)
        if url is not None:
            faults.append((("endpoints", each.name), provider_url_fault(url)))
    yield from (Wrong(path, fault) for path, fault in faults if fault is not None)


def _origin(settings: ProviderSettings) -> Iterator[Wrong]:
    """Whether there is anything to learn the endpoints from."""
    if settings.issuer is not None:
        return
    needed = ORDERS[dialect(settings).order]
    lacking = [name for name in needed if getattr(endpoints(settings), name) is None]
    if settings.preset != "generic":
        preset = PRESETS[settings.preset]
        yield Wrong(("issuer",), f"is missing; the preset {settings.preset} needs it, such as {preset.issuer}")
    elif settings.metadata is not None:
        yield Wrong(("issuer",), "is missing; metadata is believed only where it names the issuer that is written here")
    elif lacking:
        wanted = " and ".join(f"endpoints.{name}" for name in lacking)
        yield Wrong(("issuer",), f"is missing; write it, or {wanted}")


def _order(settings: ProviderSettings) -> Iterator[Wrong]:
    order = dialect(settings).order
    if "introspection" in ORDERS[order] and settings.introspection is None:
        text = (
            f"is missing; the order {order} needs client_id and client_secret, otherwise write dialect.order: keys_only"
        )
        yield Wrong(("introspection",), text)


def _template_fault(template: str) -> str | None:
    if "{client_id}" not in template:
        return 'lacks the client; write it with {client_id}, as in "{registration}/{client_id}"'
    rest = (
        template.replace("{client_id}", "id")
        .replace("{registration}", "https://registration")
        .replace("{origin}", "https://origin")
    )
    return (
        "has a name in braces that is not known; write {registration} or {origin}, and {client_id}"
        if "{" in rest
        else None
    )


def _certificate(settings: ProviderSettings) -> Iterator[Wrong]:
    if settings.transport.key_file is not None and settings.transport.certificate_file is None:
        yield Wrong(
            ("transport", "certificate_file"), "is missing; key_file is the key of a certificate, write its path"
        )


def _numbers(path: Path, section: Any) -> Iterator[Wrong]:
    for each in fields(section):
        value = getattr(section, each.name)
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and (value < 0 or (value == 0 and each.name not in ZERO_IS_SENSE))
        ):
            least = "must be at least 0" if each.name in ZERO_IS_SENSE else "must be greater than 0"
            yield Wrong((*path, each.name), least)
