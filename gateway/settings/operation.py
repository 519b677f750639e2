"""How the process is run: its logs, the documents of its refusals, its reload."""

from gateway.settings.section import Section


class AccessLog(Section):
    """One JSON line for each request. It never holds a credential or a query."""

    to: str = "stdout"
    """stdout, stderr, off, or the path of a file."""


class Problems(Section):
    """The documents that refusals carry (RFC 9457)."""

    base: str = "urn:tokenward:problem:"
    """What stands before the code of a refusal in its `type`."""


class Reload(Section):
    """When a changed configuration is read again."""

    watch: bool = True
    """Whether the folder of the configuration is watched. SIGHUP and POST /-/reload always work."""
