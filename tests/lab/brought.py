"""Certificates as an owner brings them: an authority of his own, an intermediate, leaves, and the option file that names
them. Everything can be spoiled, as one finds it on hosts."""

from __future__ import annotations

import base64
import ipaddress
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from galvan import lab

BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
HOME = "/etc/ssl/shop"
FILE = "/etc/mysql/mariadb.conf.d/70-shop.cnf"
DAY = 86_400.0


@dataclass
class Signer:
    """One certificate and its key; `above` None signs itself."""

    name: str
    above: Signer | None = None
    ca: bool = True
    names: Sequence[str] = ()
    purposes: Sequence[x509.ObjectIdentifier] = BOTH
    since: float = -1.0  # days from now
    until: float = 365.0
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def subject(self) -> x509.Name:
        return x509.Name([
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Shop"), x509.NameAttribute(NameOID.COMMON_NAME, self.name),
        ])  # fmt: skip

    @property
    def pem(self) -> str:
        signer, now = self.above or self, time.time()
        builder = (
            x509.CertificateBuilder(signer.subject, self.subject, self.key.public_key(), x509.random_serial_number())
            .not_valid_before(_moment(now + self.since * DAY))
            .not_valid_after(_moment(now + self.until * DAY))
            .add_extension(x509.BasicConstraints(self.ca, None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
        )
        if not self.ca:
            builder = builder.add_extension(x509.ExtendedKeyUsage(self.purposes), critical=False)
            builder = builder.add_extension(x509.SubjectAlternativeName([_san(name) for name in self.names]), False)
        made = builder.sign(signer.key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()


def _moment(seconds: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(seconds))


def _san(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def names_of(host: str) -> tuple[str, ...]:
    """All under which clients and members of the lab dial a host."""
    present = lab.current()
    own = next(h for h in present.hosts if h.name == host)
    door = next(h for h in present.hosts if h.name == "lb1")
    return (host, own.address, "localhost", "127.0.0.1", "::1", door.name, door.address)


def put(host: str, path: str, content: str, owner: str = "root:root", mode: str = "0644") -> None:
    body = base64.b64encode(content.encode()).decode()
    lab.execute(
        host, f"mkdir -p $(dirname {path}); echo {body} | base64 -d >{path}; chown {owner} {path}; chmod {mode} {path}"
    )


def give(host: str, channel: str, leaf: Signer, chain: Sequence[Signer], trusted: str, home: str = HOME) -> None:
    """Certificate (with its chain), key and authority of one channel."""
    put(host, f"{home}/{channel}/server.pem", leaf.pem + "".join(signer.pem for signer in chain))
    put(host, f"{home}/{channel}/server.key", leaf.key_pem, "mysql:mysql", "0400")
    put(host, f"{home}/{channel}/ca.pem", trusted)


def name(host: str, *, client: bool = True, group: str = "socket.dynamic=true", home: str = HOME) -> None:
    """The owner's option file. `group`: what it says beside the three paths; empty leaves the provider alone."""
    lines = ["[mysqld]"]
    if client:
        lines += [
            f"ssl-cert = {home}/client/server.pem",
            f"ssl_key = {home}/client/server.key",
            f"ssl_ca={home}/client/ca.pem",
        ]
    if group:
        at = "; ".join(f"socket.ssl_{what}={home}/cluster/{file}" for what, file in _FILES)
        lines.append(f'wsrep_provider_options = "gcache.size=128M; gmcast.segment=0; {at}; {group}"')
    put(host, FILE, "\n".join(lines) + "\n")


_FILES = (("cert", "server.pem"), ("key", "server.key"), ("ca", "ca.pem"))


def restart(host: str) -> None:
    """As the owner would, by hand; waits until the member is Synced again."""
    lab.execute(host, "systemctl restart mariadb")
    asked = "mariadb -NBe \"show status like 'wsrep_local_state_comment'\" | cut -f2"
    deadline = time.monotonic() + 60
    while lab.execute(host, asked).strip() != "Synced":
        assert time.monotonic() < deadline, f"{host} is not Synced"
        time.sleep(0.5)
