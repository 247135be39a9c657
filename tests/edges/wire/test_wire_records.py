"""TLS records, alerts and MySQL packets as bytes."""

from __future__ import annotations

import hashlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galvan.edges.wire import ed25519, packets
from galvan.edges.wire.records import Alert, clear_alert, clear_leaf, messages, named_alert, plausible, split
from galvan.model import Unreadable


def test_an_alert_in_clear_is_read_from_its_own_record() -> None:
    alert = clear_alert(b"\x15\x03\x01\x00\x02\x02\x46")
    assert alert == Alert(2, 70)
    assert str(alert) == "alert protocol_version (70)"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x15\x03\x03\x00\x02\x02",
        b"\x15\x03\x03\x00\x1a" + bytes(26),
        b"HTTP/1.1",
        b"\x14\x03\x03\x00\x01\x01" + b"\x15\x03\x03\x00\x02\x02\x28",
    ],
)
def test_what_is_no_clear_alert_is_none(raw: bytes) -> None:
    assert clear_alert(raw) is None


@pytest.mark.parametrize(
    ("reason", "number"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", 116),
        ("TLSV1_ALERT_UNKNOWN_CA", 48),
        ("SSLV3_ALERT_BAD_CERTIFICATE", 42),
        ("TLSV1_ALERT_PROTOCOL_VERSION", 70),
    ],
)
def test_openssl_names_an_alert_that_came_under_keys(reason: str, number: int) -> None:
    assert named_alert(reason) == Alert(2, number)


@pytest.mark.parametrize("reason", [None, "", "WRONG_VERSION_NUMBER", "UNSUPPORTED_PROTOCOL", "NO_CIPHERS_AVAILABLE"])
def test_an_opinion_of_the_local_library_is_no_alert(reason: str | None) -> None:
    assert named_alert(reason) is None


@given(st.binary(max_size=300))
def test_no_bytes_break_the_parsers(raw: bytes) -> None:
    found, rest = split(raw)
    assert sum(len(r.body) + 5 for r in found) + len(rest) == len(raw)
    plausible(raw)
    clear_alert(raw)
    messages(raw)
    clear_leaf(raw)
    for parse in (packets.greeting, packets.reply, packets.server_error):
        with suppress(Unreadable):
            parse(raw)


def test_the_greeting_of_a_real_server_is_read() -> None:
    raw = bytes.fromhex(
        "0a352e352e352d31302e31312e31392d4d617269614442001e0000004a2b6e5b7a6a5e3a00fef72d0200ff81150000000000001d000000"
        "7b3c34485b2b503c6e2d574d006d7973716c5f6e61746976655f70617373776f726400"
    )
    seen = packets.greeting(raw)
    assert isinstance(seen, packets.Greeting)
    assert (seen.version, seen.plugin, seen.offers_tls, len(seen.salt)) == (
        "5.5.5-10.11.19-MariaDB",
        "mysql_native_password",
        False,
        20,
    )


def test_a_server_may_turn_us_away_instead_of_greeting() -> None:
    assert str(packets.greeting(b"\xff\x69\x04Host '10.0.0.1' is blocked")) == "ERROR 1129: Host '10.0.0.1' is blocked"
    assert str(packets.server_error(b"\xff\x15\x04#28000Access\x1b denied")) == "ERROR 1045: Access. denied"


@pytest.mark.parametrize("plugin", ["mysql_clear_password", "dialog", "authentication_ldap_sasl_client"])
def test_a_plugin_that_would_carry_the_password_is_never_spoken(plugin: str) -> None:
    with pytest.raises(Unreadable, match=plugin):
        packets.scramble(plugin, "secret", bytes(20))


def test_ed25519_signs_what_its_own_public_key_verifies() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    seed = hashlib.sha512(b"secret").digest()
    scalar = (int.from_bytes(seed[:32], "little") & ((1 << 254) - 8)) | (1 << 254)
    public = ed25519._pack(ed25519._times(scalar, ed25519.BASE))
    Ed25519PublicKey.from_public_bytes(public).verify(ed25519.sign("secret", bytes(32)), bytes(32))
