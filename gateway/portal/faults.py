"""What keeps the portal shut: options that somebody else could be let in with. Pure."""

from gateway.providers import Provider
from gateway.settings.mistakes import told
from gateway.settings.portal import PortalSettings
from gateway.settings.portal_checks import check_portal


class Unsafe(ValueError):
    """The portal cannot be opened with these options. The text holds no secret."""


def refuse(options: PortalSettings, provider: Provider) -> None:
    """Raises `Unsafe` unless people can sign in with these options, and nobody else can."""
    found = check_portal(options, {provider.name}, {provider.name: provider})
    sentences = [f"{told(('portal', *path))} {text}" for path, text in found]
    if sentences:
        raise Unsafe("; ".join(sentences))
