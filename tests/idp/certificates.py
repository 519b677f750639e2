"""Who vouches for whom between an identity provider and the clients that authenticate with a certificate."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from tests.certificates import Authority, Pair, self_signed


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """An authority, the server and the client it vouches for, and a client that vouches for itself."""

    authority: Path
    server: Pair
    client: Pair
    self_signed: Pair

    def as_client(self, pair: Pair) -> ssl.SSLContext:
        """How a client with that certificate connects to the server."""
        tls = ssl.create_default_context(cafile=self.authority)
        tls.load_cert_chain(pair.certificate, pair.key)
        return tls


def make_certificates(folder: Path, *, client_name: str) -> Certificates:
    """Write all of them into `folder`; the clients' subject is `CN=client_name`."""
    authority = Authority(folder)
    return Certificates(
        authority=authority.file,
        server=authority.issue(),
        client=authority.issue(client_name),
        self_signed=self_signed(folder, client_name),
    )
