"""`openssl s_client` on a host whose key must not leave it: the script, and a pure parser of its `-msg` output.

`-msg` prints each record after decryption, so an alert under TLS 1.3 keys shows its two bytes like any other:

    <<< TLS 1.2, RecordHeader [length 0005]
        17 03 03 00 13
    <<< TLS 1.3, InnerContent [length 0001]
        15
    <<< TLS 1.3, Alert [length 0002], fatal unknown_ca
        02 30
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from galvan.edges.wire.records import APPLICATION, CHANGE, HANDSHAKE, Alert
from galvan.model import Unreadable

END = "galvan: end of the trial"
BLOCK = re.compile(r"<<< [^\[\n]*\[length ([0-9a-f]{4})\][^\n]*\n((?:[ \t]+(?:[0-9a-f]{2}[ \t]*)+(?:\n|$))+)")
NUMBER = re.compile(r"SSL alert number (\d+)")
WHY = (
    re.compile(r"^.*(?:Could not|Can't|unable to|No such file|not found|onnection refused).*$", re.MULTILINE),
    re.compile(r"^.*error.*$", re.MULTILINE),
)


@dataclass(frozen=True, slots=True)
class Heard:
    """What the member said to openssl: application data, an alert, or (neither) what went wrong."""

    data: bool = False
    alert: Alert | None = None
    problem: str = ""


def script(address: str, port: int, credential: str, key: str = "") -> str:
    """POSIX sh. Waits two seconds for the member's word; binary noise is made printable on the way out.

    `credential`: a directory with cert.pem and key.pem, or a certificate's file whose key's file is `key`. Its
    intermediates are shown too: openssl takes only the first certificate out of the file of `-cert`.
    """
    host = f"[{address}]" if ":" in address else address
    certificate, key = (credential, key) if key else (f"{credential}/cert.pem", f"{credential}/key.pem")
    argv = ["openssl", "s_client", "-msg", "-connect", f"{host}:{port}"]
    argv += ["-cert", certificate, "-key", key, "-cert_chain", certificate]
    return (
        f"(sleep 2) | timeout 5 {shlex.join(argv)} 2>&1 | LC_ALL=C tr -c '\\011\\012\\040-\\176' '.'\n"
        f"echo; echo {shlex.quote(END)}\n"
    )


def heard_by(output: str) -> Heard:
    """Pure. Raises Unreadable where the script did not run to its end.

    Application data is an inner type 23 (TLS 1.3), or a record of type 23 after the server's Finished (TLS 1.2,
    which never has a handshake record after ChangeCipherSpec otherwise). An alert of level warning says nothing.
    """
    if END not in output:
        raise Unreadable("the host did not run openssl to its end")
    finished = changed = data = False
    for size, text in BLOCK.findall(output):
        body = bytes.fromhex("".join(text.split()))
        if size == "0005" and len(body) == 5 and body[1] == 3:
            data = data or (finished and body[0] == APPLICATION)
            finished = finished or (changed and body[0] == HANDSHAKE)
            changed = changed or body[0] == CHANGE
        elif size == "0001" and body[:1] == bytes([APPLICATION]):
            data = True
        elif size == "0002" and len(body) == 2 and body[0] == 2:
            return Heard(data, Alert(body[0], body[1]))
    if data:
        return Heard(True)
    if number := NUMBER.search(output):
        return Heard(False, Alert(2, int(number[1])))
    why = WHY[0].search(output) or WHY[1].search(output)
    return Heard(problem=f"openssl: {why[0].strip()[:200]}" if why else "closed without an alert")
