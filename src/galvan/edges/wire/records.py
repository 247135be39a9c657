"""TLS records as bytes: pure parsers that know no keys.

An alert sent before the keys are agreed is clear text (RFC 8446 §5.1): reading it from the record itself proves what
the far side said, where the text of a library's error is that library's opinion.
"""

from __future__ import annotations

from dataclasses import dataclass

HEADER = 5
LARGEST = 16384 + 2048  # RFC 5246 §6.2.3, the looser of the two limits
CHANGE, ALERT, HANDSHAKE, APPLICATION = 20, 21, 22, 23

DESCRIPTIONS = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    22: "record_overflow",
    40: "handshake_failure",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    109: "missing_extension",
    110: "unsupported_extension",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    116: "certificate_required",
    120: "no_application_protocol",
}
NUMBERS = {name: number for number, name in DESCRIPTIONS.items()}
PROTOCOL_VERSION = NUMBERS["protocol_version"]


@dataclass(frozen=True, slots=True)
class Alert:
    level: int  # 1 warning, 2 fatal
    description: int

    def __str__(self) -> str:
        return f"alert {DESCRIPTIONS.get(self.description, 'unknown')} ({self.description})"


@dataclass(frozen=True, slots=True)
class Record:
    kind: int
    body: bytes


def plausible(head: bytes) -> bool:
    """Could these bytes begin a TLS record? A head of fewer than five bytes is judged by what is there."""
    return (
        len(head) > 0
        and CHANGE <= head[0] <= APPLICATION
        and head[1:2] in (b"", b"\x03")
        and (len(head) < 3 or head[2] <= 4)
        and (len(head) < HEADER or 0 < int.from_bytes(head[3:5], "big") <= LARGEST)
    )


def split(data: bytes) -> tuple[tuple[Record, ...], bytes]:
    """The whole records at the front, and the rest: the start of another record, or what is no record."""
    records: list[Record] = []
    at = 0
    while len(data) - at >= HEADER and plausible(data[at : at + HEADER]):
        end = at + HEADER + int.from_bytes(data[at + 3 : at + HEADER], "big")
        if end > len(data):
            break
        records.append(Record(data[at], data[at + HEADER : end]))
        at = end
    return tuple(records), data[at:]


def clear_alert(data: bytes) -> Alert | None:
    """The first alert sent in clear. An encrypted one is longer than two bytes (or hides in an application record)."""
    for record in split(data)[0]:
        if record.kind == ALERT and len(record.body) == 2:
            return Alert(record.body[0], record.body[1])
        if record.kind in (CHANGE, APPLICATION):
            return None
    return None


def named_alert(reason: str | None) -> Alert | None:
    """An alert that arrived under keys, from OpenSSL's symbolic reason, like `TLSV13_ALERT_CERTIFICATE_REQUIRED`."""
    name = (reason or "").lower().partition("_alert_")[2]
    number = NUMBERS.get(name, NUMBERS.get({"no_certificate": "certificate_required"}.get(name, "")))
    return None if number is None else Alert(2, number)


def messages(data: bytes) -> tuple[tuple[int, bytes], ...]:
    """The handshake messages sent in clear: (type, body), until the first record of another kind."""
    flat = b""
    for record in split(data)[0]:
        if record.kind != HANDSHAKE:
            break
        flat += record.body
    found: list[tuple[int, bytes]] = []
    while len(flat) >= 4 and len(flat) >= (size := 4 + int.from_bytes(flat[1:4], "big")):
        found.append((flat[0], flat[4:size]))
        flat = flat[size:]
    return tuple(found)


def clear_leaf(data: bytes) -> bytes | None:
    """DER of the leaf in a TLS 1.2 Certificate message, but only if the server got as far as ServerHelloDone."""
    seen = dict(messages(data))
    if 11 not in seen or 14 not in seen:
        return None
    body = seen[11]
    size = int.from_bytes(body[3:6], "big")
    leaf = body[6 : 6 + size]
    return leaf if size and len(leaf) == size else None
