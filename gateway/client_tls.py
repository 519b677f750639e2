"""TLS to the servers that we ask: certificates and names are verified, and no option turns that off."""

import ssl


def client_tls(
    ca_file: str | None = None, certificate_file: str | None = None, key_file: str | None = None
) -> ssl.SSLContext:
    """TLS to servers that the system's authorities vouch for, or in their place those of `ca_file`.

    `certificate_file` and `key_file` are ours, for servers that ask. All are PEM. Raises OSError, of which ssl.SSLError
    is one, when a file cannot be read or used.
    """
    tls = ssl.create_default_context(cafile=ca_file)
    if certificate_file is not None:
        show_certificate(tls, certificate_file, key_file)
    return tls


def http_tls(
    ca_file: str | None = None, certificate_file: str | None = None, key_file: str | None = None
) -> ssl.SSLContext:
    """The same, for HTTP: a server that knows a newer HTTP as well is told which one we speak (RFC 7301)."""
    tls = client_tls(ca_file, certificate_file, key_file)
    tls.set_alpn_protocols(["http/1.1"])
    return tls


def show_certificate(tls: ssl.SSLContext, certificate_file: str, key_file: str | None) -> None:
    """Show this certificate to whoever asks for ours. Raises OSError, of which ssl.SSLError is one."""
    # An encrypted key fails on the empty password; without one, OpenSSL would ask at the terminal and wait.
    tls.load_cert_chain(certificate_file, key_file, password="")
