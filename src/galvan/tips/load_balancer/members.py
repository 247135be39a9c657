"""What a balancer that speaks the protocol itself needs: by which authority it can verify all members, a way to tell them a statement
that holds what no plan may hold, and the certificate that it shows to clients."""

from __future__ import annotations

from collections.abc import Sequence

from galvan.cluster.facts import VARIABLES
from galvan.cluster.quote import sh
from galvan.model import HostFacts, PutFile, Signed, Snapshot
from galvan.pki import judge
from galvan.pki.places import Place
from galvan.pki.steps import authority_file

SERVER = r"""IFS='
'; set -f; s=
for o in $(my_print_defaults --mysqld 2>/dev/null); do case $o in --socket=*) s=${o#*=} ;; esac; done
set +f; unset IFS
server() { $(command -v mariadb || command -v mysql) ${s:+--socket="$s"} --host=localhost --protocol=socket --no-auto-rehash -N -B --connect-timeout=5 --loose-disable-ssl-verify-server-cert; }
"""
"""Statements come over standard input: in no argument of a program."""
SLOT = "'*%s'"


def printed(statement: str, variable: str) -> str:
    """The line of shell that prints a statement, each `SLOT` of it filled from a variable of the shell's; printf is the shell's own."""
    line = statement.replace(SLOT, "\0").replace("\\", "\\\\").replace("%", "%%").replace("\0", SLOT)
    return sh("printf {{line}}", line=line + ";\\n").text + f' "${variable}"' * statement.count(SLOT) + "\n"


def shown_authority(members: Sequence[HostFacts], snapshot: Snapshot) -> str:
    """The one authority (PEM) of what every member shows now; empty where there is none."""
    shown = {_authority(member, snapshot) for member in members}
    return shown.pop() if len(shown) == 1 else ""


def _authority(member: HostFacts, snapshot: Snapshot) -> str:
    said = member[VARIABLES]
    running, datadir = str(said.get("ssl_cert") or ""), str(said.get("datadir") or "")
    if said.get("have_ssl") != "YES" or not running or judge.stray(member, "client", running, datadir):
        return ""
    return "" if judge.ailing(member, snapshot, "client", 0) else judge.trust(member, snapshot, "client")


def shown(
    place: Place, host: str, names: Sequence[str], addresses: Sequence[str], days: int
) -> tuple[PutFile, PutFile]:
    """Authority and certificate, of the client authority, for every name by which clients know this door."""
    signed = Signed("client", place.request, tuple(names), tuple(addresses), host, days)
    return PutFile(place.ca, authority_file("client")), PutFile(place.certificate, signed)
