"""Client management in the YAML: what its parts may cost, and whom they tell."""

from gateway.clients.options import Mail, Reconciling, RegistryOptions, Webhook
from gateway.settings.section import Section


class Notices(Section):
    """Who is told of requests and of decisions."""

    mail: Mail | None = None
    """By e-mail: owners of requests, developers of decisions."""
    webhook: Webhook | None = None
    """By a signed POST (Standard Webhooks)."""


class Management(Section):
    """Applications and contracts that are kept in the store."""

    bounds: RegistryOptions = RegistryOptions()
    """What people may have."""
    reconcile: Reconciling = Reconciling()
    """How our records are compared with those of the providers."""
    notices: Notices = Notices()
    """Who is told."""
