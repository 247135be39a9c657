import base64
import ipaddress
import os
import re
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st
from pki_requests import NOW, PASSPHRASE, OpenSsl, request, wanted

from galvan.model import BadInput
from galvan.pki.authority import Authority, Unlocked, create, issue, sign, unlock
from galvan.pki.certificate import describe

LABEL = st.from_regex(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,20}[A-Za-z0-9_])?", fullmatch=True)
NAME = st.lists(LABEL, min_size=1, max_size=4).map(".".join).filter(lambda name: not name.replace(".", "").isdigit())
ADDRESS = st.ip_addresses().map(str)
COMMON = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FFF, exclude_characters='"\\', exclude_categories=("C", "Z")),
    min_size=1,
    max_size=20,
)


def load(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def common_name(name: x509.Name) -> str:
    return str(name.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


@pytest.mark.parametrize("purpose", ["sslserver", "sslclient"])
def test_openssl_takes_a_leaf_for_both_purposes(purpose: str, cluster: Authority, verify: OpenSsl) -> None:
    leaf = sign(cluster, PASSPHRASE, request(), wanted(), NOW)
    done = verify(leaf, cluster.certificate_pem, purpose)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(": OK\n")


@pytest.mark.parametrize("purpose", ["sslserver", "sslclient"])
def test_an_applications_leaf_is_refused_under_the_clusters_authority(
    purpose: str, cluster: Authority, client: Authority, client_signer: Unlocked, verify: OpenSsl
) -> None:
    leaf = issue(client_signer, request(), wanted(authority="client"), NOW)
    assert verify(leaf, client.certificate_pem, purpose).returncode == 0  # the living control
    done = verify(leaf, cluster.certificate_pem, purpose)
    assert done.returncode != 0
    assert "unable to get local issuer" in done.stderr


def test_an_authority_can_sign_no_other_authority(cluster: Authority) -> None:
    certificate = load(cluster.certificate_pem)
    basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert basic.critical
    assert (basic.value.ca, basic.value.path_length) == (True, 0)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert not usage.value.digital_signature


def test_two_authorities_of_one_name_never_share_a_subject(cluster: Authority) -> None:
    again = create("cluster", "shop", PASSPHRASE, 1095, NOW)
    assert load(again.certificate_pem).subject != load(cluster.certificate_pem).subject


@given(st.text(max_size=120))
def test_any_clusters_name_gives_a_subject_with_an_organization(cluster_name: str) -> None:
    # the sealing is left out: it takes 0.2 s and knows nothing of names
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("galvan.pki.authority.seal", lambda key, passphrase: b"")
        made = load(create("client", cluster_name, PASSPHRASE, 30, NOW).certificate_pem)
    assert made.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert re.search(r"client authority [0-9a-f]{8}$", common_name(made.subject))
    assert len(common_name(made.subject).encode()) <= 64


@given(st.lists(NAME, min_size=1, max_size=5), st.lists(ADDRESS, max_size=5), COMMON)
def test_names_addresses_and_subject_come_back(
    signer: Unlocked, names: list[str], addresses: list[str], name: str
) -> None:
    csr = request(common_name="mallory")
    pem = issue(signer, csr, wanted(names=tuple(names), addresses=tuple(addresses), common_name=name), NOW)
    leaf = describe(pem)
    assert leaf.names == tuple(dict.fromkeys(names))
    assert {ipaddress.ip_address(a) for a in leaf.addresses} == {ipaddress.ip_address(a) for a in addresses}
    assert leaf.common_name == name
    assert load(pem).public_key() == x509.load_pem_x509_csr(csr.encode()).public_key()
    assert "mallory" not in load(pem).subject.rfc4514_string()


def test_each_name_is_sorted_by_what_it_is(signer: Unlocked) -> None:
    leaf = describe(issue(signer, request(), wanted(names=("db1", "10.0.3.9"), addresses=("db1.lan", "::1")), NOW))
    assert leaf.names == ("db1", "db1.lan")
    assert leaf.addresses == ("10.0.3.9", "::1")


@pytest.mark.parametrize(
    "name", ["bücher.example", "a b", "", "a..b", "-" * 64, "fe80::1%eth0", "*", "a,DNS:evil", "a.*.b"]
)
def test_names_that_no_certificate_can_hold_are_refused(signer: Unlocked, name: str) -> None:
    with pytest.raises(BadInput, match=re.escape(repr(name))):
        issue(signer, request(), wanted(names=(name,)), NOW)


def test_a_certificate_that_speaks_for_nobody_is_refused(signer: Unlocked) -> None:
    with pytest.raises(BadInput, match="no name and no address"):
        issue(signer, request(), wanted(names=(), addresses=()), NOW)


@pytest.mark.parametrize("name", ["", "x" * 65, 'a"b', "a\nb", " a"])
def test_common_names_that_no_script_can_read_are_refused(signer: Unlocked, name: str) -> None:
    with pytest.raises(BadInput, match="common name"):
        issue(signer, request(), wanted(common_name=name), NOW)


def test_a_leaf_never_bears_its_authoritys_name(signer: Unlocked) -> None:
    with pytest.raises(BadInput, match="own name"):
        issue(signer, request(), wanted(common_name=common_name(signer.certificate.subject)), NOW)


def test_a_tampered_request_is_refused(signer: Unlocked) -> None:
    lines = request().splitlines()
    der = bytearray(base64.b64decode("".join(lines[1:-1])))
    at = bytes(der).index(b"whatever")
    der[at] ^= 1
    csr = "\n".join((lines[0], base64.encodebytes(bytes(der)).decode().strip(), lines[-1], ""))
    with pytest.raises(BadInput, match="changed after it was made"):
        issue(signer, csr, wanted(), NOW)


@given(st.binary(max_size=200))
def test_rubbish_is_no_request(signer: Unlocked, rubbish: bytes) -> None:
    pem = (
        "-----BEGIN CERTIFICATE REQUEST-----\n"
        + base64.b64encode(rubbish).decode()
        + "\n-----END CERTIFICATE REQUEST-----\n"
    )
    for text in (pem, rubbish.decode("latin-1")):
        with pytest.raises(BadInput, match=r"request\.pem is not a certificate request"):
            issue(signer, text, wanted(), NOW)


WEAK = [rsa.generate_private_key(65537, 1024), ec.generate_private_key(ec.SECP256K1()), dsa.generate_private_key(2048)]


@pytest.mark.parametrize("key", [*WEAK, ec.generate_private_key(ec.SECP192R1())], ids=["rsa1024", "k1", "dsa", "p192"])
def test_weak_and_odd_keys_are_refused(signer: Unlocked, key: object) -> None:
    with pytest.raises(BadInput, match="asks for"):
        issue(signer, request(key), wanted(), NOW)


def test_a_kind_of_key_that_old_clients_do_not_speak_is_refused(signer: Unlocked) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    csr = x509.CertificateSigningRequestBuilder(name).sign(ed25519.Ed25519PrivateKey.generate(), None)
    from cryptography.hazmat.primitives.serialization import Encoding

    with pytest.raises(BadInput, match="EC P-256, or RSA"):
        issue(signer, csr.public_bytes(Encoding.PEM).decode(), wanted(), NOW)


@pytest.mark.parametrize(("key", "enciphers"), [(None, False), (rsa.generate_private_key(65537, 2048), True)])
def test_what_a_leaf_may_be_used_for(signer: Unlocked, key: object, enciphers: bool) -> None:
    leaf = load(issue(signer, request(key), wanted(), NOW))
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_encipherment, usage.key_cert_sign) == (True, enciphers, False)
    purposes = list(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    assert purposes == [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    above = signer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier == above


def test_lifetimes(signer: Unlocked) -> None:
    leaf = describe(issue(signer, request(), wanted(days=90), NOW + 1000))
    assert (leaf.not_before, leaf.not_after) == (NOW + 700, NOW + 1000 + 90 * 86_400)


def test_a_leaf_is_clipped_to_its_authoritys_end(signer: Unlocked) -> None:
    leaf = describe(issue(signer, request(), wanted(days=5000), NOW))
    assert leaf.not_after == NOW + 1095 * 86_400


@pytest.mark.parametrize("days_in", [1094.01, 1095, 2000])
def test_an_authority_at_its_end_signs_nothing(signer: Unlocked, days_in: float) -> None:
    issue(signer, request(), wanted(), NOW + 1093.9 * 86_400)
    with pytest.raises(BadInput, match=r"'cluster' ends on 2030-01-1\d .*UTC, too soon"):
        issue(signer, request(), wanted(), NOW + days_in * 86_400)


def test_a_clock_before_the_authority_is_refused(signer: Unlocked) -> None:
    with pytest.raises(BadInput, match="is the clock here right"):
        issue(signer, request(), wanted(), NOW - 86_400)


def test_a_leaf_of_the_other_authority_is_refused(signer: Unlocked) -> None:
    with pytest.raises(BadInput, match="'client'"):
        issue(signer, request(), wanted(authority="client"), NOW)


def test_a_wrong_passphrase_is_named_and_not_shown(cluster: Authority) -> None:
    with pytest.raises(BadInput, match="the passphrase does not open the authority 'cluster'") as caught:
        sign(cluster, b"wrong horse battery", request(), wanted(), NOW)
    assert "wrong horse" not in str(caught.value)


def test_a_key_in_clear_or_of_another_authority_is_refused(cluster: Authority, client: Authority) -> None:
    clear = subprocess.run(
        ["openssl", "pkey", "-passin", "env:P"],
        input=cluster.key_pem, env={**os.environ, "P": PASSPHRASE.decode()}, capture_output=True, check=True,
    ).stdout  # fmt: skip
    with pytest.raises(BadInput, match="not encrypted"):
        unlock(Authority("cluster", cluster.certificate_pem, clear), PASSPHRASE)
    with pytest.raises(BadInput, match="does not belong"):
        unlock(Authority("cluster", client.certificate_pem, cluster.key_pem), PASSPHRASE)
    with pytest.raises(BadInput, match="damaged"):
        unlock(Authority("cluster", "rubbish", cluster.key_pem), PASSPHRASE)


def test_openssl_opens_the_sealed_key_and_only_with_the_passphrase(cluster: Authority) -> None:
    assert b"ENCRYPTED" in cluster.key_pem
    for word, opens in ((PASSPHRASE.decode(), True), ("wrong horse battery", False)):
        command = ["openssl", "pkey", "-passin", "env:P", "-pubout"]
        done = subprocess.run(
            command, input=cluster.key_pem, env={**os.environ, "P": word}, capture_output=True, check=False
        )
        assert (done.returncode == 0) is opens
        assert (b"PUBLIC KEY" in done.stdout) is opens


def test_guessing_a_passphrase_is_made_slow(cluster: Authority) -> None:
    done = subprocess.run(["openssl", "asn1parse"], input=cluster.key_pem, capture_output=True, check=True)
    assert b":scrypt" in done.stdout
    assert b":aes-256-cbc" in done.stdout


@pytest.mark.parametrize(
    ("passphrase", "why"), [(b"11 letters!", "too short"), ("ü" * 11, "too short"), (b"x" * 1024, "too long")]
)
def test_weak_passphrases_make_no_authority(passphrase: bytes | str, why: str) -> None:
    raw = passphrase if isinstance(passphrase, bytes) else passphrase.encode()
    with pytest.raises(BadInput, match=why):
        create("cluster", "shop", raw, 1095, NOW)


def test_a_key_never_shows_in_what_is_printed(cluster: Authority, signer: Unlocked) -> None:
    assert "PRIVATE KEY" not in repr(cluster)
    assert "object at" not in repr(signer)
