import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st
from pki_requests import NOW, request, wanted

from galvan.model import Unreadable
from galvan.pki.authority import Authority, Unlocked, issue
from galvan.pki.certificate import describe, problems

DAY = 86_400
SERVER = ExtendedKeyUsageOID.SERVER_AUTH


class Maker:
    """Certificates that Galvan would never sign, as one finds them on hosts."""

    def __init__(self, name: str, above: "Maker | None" = None, key: object = None, ca: bool = True) -> None:
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.above, self.ca, self.days = above or self, ca, 365
        self.purposes: list[x509.ObjectIdentifier] = []
        self.path_length: int | None = None

    def pem(self, hash: hashes.HashAlgorithm | None = None) -> str:
        begin = datetime.fromtimestamp(NOW, UTC) - timedelta(days=30)
        builder = (
            x509.CertificateBuilder(self.above.name, self.name, self.key.public_key(), 7)  # type: ignore[attr-defined]
            .not_valid_before(begin)
            .not_valid_after(begin + timedelta(days=self.days))
            .add_extension(x509.BasicConstraints(self.ca, self.path_length if self.ca else None), critical=True)
        )
        if self.purposes:
            builder = builder.add_extension(x509.ExtendedKeyUsage(self.purposes), critical=False)
        made = builder.sign(self.above.key, hash or hashes.SHA256())  # type: ignore[arg-type]
        return made.public_bytes(Encoding.PEM).decode()


@pytest.fixture(scope="module")
def leaf(signer: Unlocked) -> str:
    return issue(signer, request(), wanted(), NOW)


def test_a_fresh_leaf_has_no_problem(leaf: str, cluster: Authority) -> None:
    names, addresses = ("db1", "DB1.example.org."), ("10.0.3.1", "fd00:0:0::1")
    assert problems(describe(leaf), cluster.certificate_pem, NOW, names, addresses) == ()


def test_it_says_what_openssl_says(leaf: str, tmp_path: Path) -> None:
    (tmp_path / "leaf.pem").write_text(leaf)
    ask = [
        "openssl",
        "x509",
        "-in",
        str(tmp_path / "leaf.pem"),
        "-noout",
        "-serial",
        "-fingerprint",
        "-sha256",
        "-subject",
    ]
    said = subprocess.run([*ask, "-nameopt", "RFC2253"], capture_output=True, text=True, check=True).stdout.lower()
    found = describe(leaf)
    assert int(said.partition("serial=")[2].split()[0], 16) == int(found.serial, 16)
    assert found.sha256 in said.replace(":", "")
    assert found.subject == "CN=db1,O=shop"
    assert f"subject={found.subject.lower()}\n" in said
    assert found.purposes == {"server", "client"}
    assert (found.key, found.bits, found.signature, found.is_ca) == ("EC secp256r1", 256, "sha256", False)


@pytest.mark.parametrize(
    ("days", "says"),
    [
        (90, "it expired on 2027-04-15, 0 hours ago"),
        (93.2, "it expired on 2027-04-15, 3 days ago"),
        (-1, "it is not valid before 2027-01-15: is this host's clock right?"),
        (60.5, "it ends in 29 days, on 2027-04-15"),
        (89.5, "it ends in 12 hours, on 2027-04-15"),
    ],
)
def test_lifetimes(leaf: str, cluster: Authority, days: float, says: str) -> None:
    assert says in problems(describe(leaf), cluster.certificate_pem, NOW + days * DAY)


def test_the_day_of_warning_is_the_operators(leaf: str, cluster: Authority) -> None:
    at = NOW + 60.5 * DAY
    assert problems(describe(leaf), cluster.certificate_pem, at, warn_days=29) == ()
    assert len(problems(describe(leaf), cluster.certificate_pem, at, warn_days=30)) == 1


def test_missing_names_are_named_one_by_one(leaf: str, cluster: Authority) -> None:
    found = problems(describe(leaf), cluster.certificate_pem, NOW, ("db1", "vip", "10.0.3.9"), ("fd00::2", "db2.lan"))
    assert found == (
        "it does not name vip",
        "it does not name the address 10.0.3.9",
        "it does not name the address fd00::2",
        "it does not name db2.lan",
    )


@pytest.mark.parametrize(("name", "covered"), [("a.shop.lan", True), ("a.b.shop.lan", False), ("shop.lan", False)])
def test_a_star_stands_for_one_label(signer: Unlocked, cluster: Authority, name: str, covered: bool) -> None:
    leaf = describe(issue(signer, request(), wanted(names=("*.shop.lan",)), NOW))
    assert (problems(leaf, cluster.certificate_pem, NOW, (name,)) == ()) is covered


def test_a_leaf_of_another_authority_is_seen(leaf: str, client: Authority, cluster: Authority) -> None:
    (found,) = problems(describe(leaf), client.certificate_pem, NOW)
    assert found.startswith("it does not chain to the authority Galvan shop client authority ")
    assert problems(describe(leaf), [client.certificate_pem, cluster.certificate_pem], NOW) == ()
    assert problems(describe(leaf), client.certificate_pem + cluster.certificate_pem, NOW) == ()


def test_an_impostor_of_the_same_name_is_seen(leaf: str, cluster: Authority) -> None:
    """Same subject, another key: only the signature tells."""
    impostor = Maker("x")
    impostor.name = x509.load_pem_x509_certificate(cluster.certificate_pem.encode()).subject
    assert "does not chain" in problems(describe(leaf), impostor.pem(), NOW)[0]


def test_chains_with_intermediates() -> None:
    root = Maker("root")
    middle = Maker("middle", root)
    host = Maker("db1", middle, ca=False)
    beside = describe(host.pem() + middle.pem())
    assert problems(beside, root.pem(), NOW) == ()
    assert problems(describe(host.pem()), root.pem() + middle.pem(), NOW) == ()
    assert "does not chain" in problems(describe(host.pem()), root.pem(), NOW)[0]
    assert "does not chain" in problems(beside, middle.pem(), NOW)[0]  # as Galera: it has to reach a root


def test_a_path_length_and_a_leaf_in_the_middle_break_a_chain() -> None:
    root = Maker("root")
    root.path_length = 0
    middle = Maker("middle", root)
    host = Maker("db1", middle, ca=False)
    assert "does not chain" in problems(describe(host.pem() + middle.pem()), root.pem(), NOW)[0]
    thief = Maker("db1", Maker("host", root, ca=False), ca=False)
    assert "does not chain" in problems(describe(thief.pem() + thief.above.pem()), root.pem(), NOW)[0]


def test_an_expired_authority_is_told_from_a_foreign_one() -> None:
    root = Maker("root")
    root.days = 20
    (found,) = problems(describe(Maker("db1", root, ca=False).pem()), root.pem(), NOW)
    assert found == "an authority on its chain to root has expired, or is not valid yet"


def test_a_servers_certificate_lacks_the_clients_purpose() -> None:
    root = Maker("root")
    web = Maker("db1", root, ca=False)
    web.purposes = [SERVER]
    (found,) = problems(describe(web.pem()), root.pem(), NOW)
    assert found.startswith("it lacks the purpose clientAuth")
    web.purposes = [ExtendedKeyUsageOID.CODE_SIGNING]
    assert len(problems(describe(web.pem()), root.pem(), NOW)) == 2
    web.purposes = [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]
    assert len(problems(describe(web.pem()), root.pem(), NOW)) == 2, "OpenSSL takes `any` for neither"


def test_weak_keys_and_hashes() -> None:
    root = Maker("root", key=rsa.generate_private_key(65537, 2048))
    short = Maker("db1", root, rsa.generate_private_key(65537, 1024), ca=False)
    assert problems(describe(short.pem()), root.pem(), NOW) == (
        "its key is too short: RSA of 1024 bits, where 2048 are the least",
    )
    odd = Maker("db1", root, ec.generate_private_key(ec.SECP256K1()), ca=False)
    assert "a curve that not every client speaks: secp256k1" in problems(describe(odd.pem()), root.pem(), NOW)[0]


def test_sha1_is_seen(tmp_path: Path) -> None:
    """cryptography signs nothing with SHA-1 any more, so openssl has to."""
    made = subprocess.run(
        ["openssl", "req", "-x509", "-sha1", "-newkey", "rsa:2048", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=db1"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    leaf = describe(made)
    assert leaf.signature == "sha1"
    assert "it is signed with SHA-1, which can be forged" in problems(leaf, made, leaf.not_before + 1)


def test_an_authority_and_its_name_are_no_hosts() -> None:
    root = Maker("db1")
    assert "it is an authority's certificate, not a host's" in problems(describe(root.pem()), root.pem(), NOW)
    twin = Maker("db1", root, ca=False)
    assert "it bears the common name of its authority, db1" in problems(describe(twin.pem()), root.pem(), NOW)[0]


@given(
    st.text(max_size=300)
    | st.binary(max_size=99).map(lambda b: f"-----BEGIN CERTIFICATE-----\n{b.hex()}\n-----END CERTIFICATE-----\n")
)
def test_rubbish_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        describe(text)
