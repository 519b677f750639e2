"""Cross checks of identity providers: what each needs is there, and its URLs can be trusted."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from gateway.providers import Endpoints, Order
from gateway.providers.presets import PRESETS
from gateway.settings.credentials import check_credentials
from gateway.settings.mistakes import Path, Wrong
from gateway.settings.providers import ProviderSettings, dialect, endpoints
from gateway.settings.urls import issuer_fault, provider_url_fault, url_fault

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
    yield from check_credentials(settings)
    yield from _certificate(settings)
    for section in ("transport", "limits", "keys"):
        yield from _numbers((section,), getattr(settings, section))


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


def _certificate(settings: ProviderSettings) -> Iterator[Wrong]:
    if settings.transport.key_file is not None and settings.transport.certificate_file is None:
        yield Wrong(
            ("transport", "certificate_file"), "is missing; key_file is the key of a certificate, write its path"
        )


def _numbers(path: Path, section: Any) -> Iterator[Wrong]:
    for each in fields(section):
        value = getattr(section, each.name)
        if isinstance(value, int | float) and (value < 0 or (value == 0 and each.name not in ZERO_IS_SENSE)):
            least = "must be at least 0" if each.name in ZERO_IS_SENSE else "must be greater than 0"
            yield Wrong((*path, each.name), least)
