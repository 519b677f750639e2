"""The configuration: one YAML file → `Settings`, complete and valid, or every mistake in it at once."""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr

from gateway.clients.store.options import StoreOptions
from gateway.providers import Provider
from gateway.providers.registration import Registration
from gateway.settings.catalogue import ApiSettings, TierSettings
from gateway.settings.clients import ClientSettings
from gateway.settings.cross_checks import Parts, cross_check
from gateway.settings.files import check_files
from gateway.settings.front import AdminSettings, Drain, RequestLimits, Timeouts, TlsSettings
from gateway.settings.grammar import Address, Listen, Name, Network
from gateway.settings.listening import check_admin_token, check_listening, warn_listening
from gateway.settings.management import Management
from gateway.settings.mistakes import Mistake, SettingsError, Wrong
from gateway.settings.operation import AccessLog, Problems, Reload
from gateway.settings.policy_checks import warn_contracts, warn_limits
from gateway.settings.portal import PortalSettings
from gateway.settings.providers import ProviderSettings, provider, registration
from gateway.settings.pruned import Pruned
from gateway.settings.report import Report
from gateway.settings.route_checks import warn_routes
from gateway.settings.routes import RouteSettings
from gateway.settings.scalars import Plain
from gateway.settings.section import Count, Section
from gateway.settings.shape import written_out
from gateway.settings.source import MAX_BYTES, read
from gateway.settings.validation import validated

__all__ = ["Mistake", "Settings", "SettingsError", "load", "parse"]

NAME = "tokenward.yaml"


class Settings(Section):
    """What the YAML says."""

    version: Literal[1] = 1
    """The format of this file."""
    listen: Annotated[tuple[Listen, ...], Field(min_length=1, json_schema_extra={"default": "127.0.0.1:8080"})] = (
        Address("127.0.0.1", 8080),
    )
    """Where callers reach us: one address or a list, [::]:8080 for IPv6."""
    tls: TlsSettings | None = None
    """TLS for callers. Null: plain HTTP."""
    admin: AdminSettings = AdminSettings()
    """The second port: metrics, health, reload."""
    workers: Count = 1
    """Processes. In Kubernetes, prefer pods."""
    trusted_proxies: tuple[Network, ...] = ()
    """Networks whose X-Forwarded-*, Forwarded and X-Request-Id are believed."""
    forwarded: Literal["x-forwarded", "rfc7239", "both"] = "x-forwarded"
    """Which headers tell an upstream who called."""
    limits: RequestLimits = RequestLimits()
    """What one request may be."""
    timeouts: Timeouts = Timeouts()
    """How long we wait for callers."""
    express: bool = True
    """Whether plain requests take the express lane, which is faster and decides the same."""
    drain: Drain = Drain()
    """How the process stops."""
    access_log: AccessLog = AccessLog()
    """One JSON line for each request."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """From which level on the process says something."""
    problems: Problems = Problems()
    """The documents that refusals carry (RFC 9457)."""
    reload: Reload = Reload()
    """When a changed configuration is read again."""
    providers: dict[Name, ProviderSettings] = {}  # noqa: RUF012 - pydantic copies it, and nobody writes to it
    """Identity providers by name."""
    clients: tuple[ClientSettings, ...] = ()
    """Clients and what they may use, for routes with `contract: required`; beside those of the store."""
    tiers: dict[Name, TierSettings] = {}  # noqa: RUF012 - as above
    """How much a client may call, by name."""
    apis: dict[Name, ApiSettings] = {}  # noqa: RUF012 - as above
    """The APIs of the routes, as developers see them."""
    store: StoreOptions | None = None
    """Where applications and contracts are kept. Null: only `clients` have contracts."""
    management: Management = Management()
    """What people may do about them. Needs a store."""
    portal: PortalSettings | None = None
    """The developer portal. Null: there is none. Needs a store."""
    routes: dict[Name, RouteSettings] = Field(examples=[{}])
    """Routes by name."""

    _warnings: tuple[Mistake, ...] = PrivateAttr(())

    @property
    def warnings(self) -> tuple[Mistake, ...]:
        """What is allowed, and yet hardly meant."""
        return self._warnings

    def warned_of(self, warnings: Iterable[Mistake]) -> Self:
        """The same settings, with these warnings."""
        self._warnings = tuple(sorted(warnings))
        return self

    def provider(self, name: str) -> Provider:
        """A provider with its preset applied: configured endpoints, then the preset's; discovery fills in the rest.

        Raises KeyError when there is none of that name.
        """
        return provider(name, self.providers[name])

    def registration(self, name: str) -> Registration | None:
        """How clients are registered at a provider, with its preset applied; `None` where they are not.

        Raises KeyError when there is no provider of that name.
        """
        return registration(self.providers[name])


def load(path: str | os.PathLike[str], environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings in that file. Raises SettingsError with every mistake in it."""
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            content = file.read(MAX_BYTES + 1)
        text = content.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = (error.strerror or "").lower() if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError([Mistake(name, 1, 1, "", f"cannot be read: {reason}")]) from None
    return parse(text, name=name, environment=environment)


def parse(text: str, *, name: str = NAME, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings in that text; paths of files in it start at the folder of `name`.

    Raises SettingsError with every mistake in it.
    """
    source = read(text, name, environment)
    report = Report(source)
    if not source.readable:
        raise SettingsError(report.mistakes)
    data = written_out(source.data, os.path.dirname(name))
    settings, rest = validated(Settings, data, report.wrong)
    for path, fault in check_files(data):
        report.wrong(path, fault)
    if settings is not None:
        _cross_check(settings, data, rest, report)
    if report.mistakes or settings is None:
        raise SettingsError(report.mistakes)
    return settings.warned_of(report.mistake(*wrong) for wrong in _warn(settings))


def _cross_check(settings: Settings, data: Plain, rest: Pruned, report: Report) -> None:
    if not report.faulty(("listen",)) and not report.faulty(("admin",)):
        for path, fault in check_listening(settings.listen, settings.admin.listen, settings.portal):
            report.wrong(path, fault)
    if not report.faulty(("admin",)):
        for path, fault in check_admin_token(settings.admin):
            report.wrong(path, fault)
    parts = Parts(
        providers=settings.providers,
        clients=settings.clients,
        tiers=settings.tiers,
        apis=settings.apis,
        store=settings.store,
        management=settings.management,
        portal=settings.portal,
        routes=settings.routes,
        whole=data,
        original=rest.original,
    )
    cross_check(parts, report.wrong, report.faulty)


def _warn(settings: Settings) -> Iterator[Wrong]:
    yield from warn_listening(settings.admin)
    yield from warn_routes(settings.routes)
    yield from warn_limits(settings.routes, settings.workers)
    if settings.store is not None:
        registering = {name for name, each in settings.providers.items() if each.registration is not None}
        yield from warn_contracts(settings.routes, settings.apis, registering)
