"""Real servers on loopback (sockets and Python's ssl in threads), throwaway certificates, and a builder of captures."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Pki:
    folder: Path  # ca.pem, cert.pem, key.pem
    authority: str
    sha256: str


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def make(folder: Path) -> Pki:
    now = datetime.datetime.now(datetime.UTC)
    root, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def builder(subject: str, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name("test authority"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )

    authority = (
        builder("test authority", root.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(root, hashes.SHA256())
    )
    names = [x509.DNSName("db1.test"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    leaf = (
        builder("db1", key.public_key())
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(root, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(authority.public_bytes(PEM))
    (folder / "cert.pem").write_bytes(leaf.public_bytes(PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return Pki(
        folder,
        authority.public_bytes(PEM).decode(),
        hashlib.sha256(leaf.public_bytes(serialization.Encoding.DER)).hexdigest(),
    )


def server_context(pki: Pki, clients: Pki | None = None, low: str = "TLSv1_2", high: str = "TLSv1_3") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.folder / "cert.pem", pki.folder / "key.pem")
    context.minimum_version, context.maximum_version = ssl.TLSVersion[low], ssl.TLSVersion[high]
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients.folder / "ca.pem")
    return context


def member(context: ssl.SSLContext, word: bytes = bytes(range(200, 244))) -> Callable[[socket.socket], None]:
    """Like a Galera member with strict TLS: 44 bytes to whom it lets in."""

    def handle(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.sendall(word)
            tls.recv(1)

    return handle


class Gone(Exception):
    """The client hung up."""


@dataclass
class FakeMysql:
    """Speaks the server's side of a login for one account app/secret. `plugin` is what the account uses."""

    context: ssl.SSLContext | None = None
    plugin: str = "mysql_native_password"
    greets_with: str = "mysql_native_password"
    require_tls: bool = False
    cached: bool = True
    greeting: bytes | None = None
    salt: bytes = bytes(range(1, 21))

    def __post_init__(self) -> None:
        self.heard: list[bytes] = []

    def __call__(self, sock: socket.socket) -> None:
        self.say(sock, 0, self.greeting or self.hello())
        if self.greeting:
            return
        sequence, answer = self.hear(sock)
        tls = len(answer) == 32
        if tls:
            assert self.context
            sock = self.context.wrap_socket(sock, server_side=True)
            sequence, answer = self.hear(sock)
        user, _, rest = answer[32:].partition(b"\0")
        proof = rest[1 : 1 + rest[0]]
        if self.plugin != self.greets_with:
            self.say(sock, sequence + 1, b"\xfe" + self.plugin.encode() + b"\0" + self.salt + b"\0")
            sequence, proof = self.hear(sock)
        sequence = self.full(sock, sequence, tls) if self.plugin.startswith("caching") else sequence
        if user == b"app" and self.right(proof) and (tls or not self.require_tls):
            self.say(sock, sequence + 1, b"\0\0\0\2\0\0\0")
        else:
            self.say(sock, sequence + 1, b"\xff" + (1045).to_bytes(2, "little") + b"#28000Access denied")
        self.hear(sock)

    def full(self, sock: socket.socket, sequence: int, tls: bool) -> int:
        if self.cached:
            self.say(sock, sequence + 1, b"\x01\x03")
            return sequence + 1
        self.say(sock, sequence + 1, b"\x01\x04")
        sequence, password = self.hear(sock)
        assert tls
        self.cached = password == b"secret\0"
        return sequence

    def hello(self) -> bytes:
        flags = 0x1 | 0x4 | 0x200 | 0x2000 | 0x8000 | 0x80000 | (0x800 if self.context else 0)
        return (
            b"\x0a8.0.99-fake\0"
            + b"\x07\0\0\0"
            + self.salt[:8]
            + b"\0"
            + (flags & 0xFFFF).to_bytes(2, "little")
            + b"\x2d\x02\0"
            + (flags >> 16).to_bytes(2, "little")
            + b"\x15"
            + bytes(10)
            + self.salt[8:]
            + b"\0"
            + self.greets_with.encode()
            + b"\0"
        )

    def right(self, proof: bytes) -> bool:
        if self.plugin == "mysql_native_password":
            stored = hashlib.sha1(hashlib.sha1(b"secret").digest()).digest()
            mask = hashlib.sha1(self.salt + stored).digest()
            return hashlib.sha1(bytes(a ^ b for a, b in zip(proof, mask, strict=True))).digest() == stored
        stored = hashlib.sha256(hashlib.sha256(b"secret").digest()).digest()
        mask = hashlib.sha256(stored + self.salt).digest()
        return hashlib.sha256(bytes(a ^ b for a, b in zip(proof, mask, strict=True))).digest() == stored

    def say(self, sock: socket.socket, sequence: int, payload: bytes) -> None:
        sock.sendall(len(payload).to_bytes(3, "little") + bytes([sequence]) + payload)

    def hear(self, sock: socket.socket) -> tuple[int, bytes]:
        head = sock.recv(4)
        if len(head) < 4:
            raise Gone
        payload = sock.recv(int.from_bytes(head[:3], "little"))
        self.heard.append(payload)
        return head[3], payload


def pcap(packets: list[bytes], link: int = 101, big: bool = False, snap: int = 262144) -> bytes:
    order = ">" if big else "<"
    out = struct.pack(order + "IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snap, link)
    for number, packet in enumerate(packets):
        out += struct.pack(order + "IIII", number, 0, len(packet[:snap]), len(packet)) + packet[:snap]
    return out


def segment(
    source: int, target: int, sequence: int, data: bytes = b"", *, syn: bool = False, v6: bool = False, pad: bytes = b""
) -> bytes:
    """An IP packet from 10.0.0.1 to 10.0.0.2, or from ::1 to ::2."""
    tcp = struct.pack(">HHIIBBHHH", source, target, sequence % 2**32, 0, 5 << 4, 2 if syn else 16, 1024, 0, 0) + data
    if v6:
        return struct.pack(">IHBB", 6 << 28, len(tcp), 6, 64) + bytes(15) + b"\1" + bytes(15) + b"\2" + tcp + pad
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0)
    return head + b"\x0a\0\0\1\x0a\0\0\2" + tcp + pad
