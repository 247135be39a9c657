"""The certificate that ProxySQL shows to clients: by itself it makes one that nobody can verify (`ProxySQL_Auto_Generated_CA_Certificate`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from galvan.cluster.proxysql import WAY_IN
from galvan.cluster.quote import sh
from galvan.model import HostFacts, RestoreFile, Shell, Stage, Step
from galvan.pki.needs import make_key_and_request
from galvan.pki.places import at
from galvan.tips.load_balancer.members import shown
from galvan.tips.load_balancer.proxysql.facts import FRONT, PROXYSQL

_KEPT = "/var/lib/galvan/proxysql/front"
_FILES = "for f in ca cert key; do\n"
_DATADIR = "d=$(said datadir); d=${d:-/var/lib/proxysql}\n"
_RELOAD = "echo 'PROXYSQL RELOAD TLS;' | admin\n"


def certificate(facts: HostFacts, names: Sequence[str], addresses: Sequence[str], days: int) -> Iterator[Step]:
    """One of the client authority, for every name by which clients know this door. The key is made here and never leaves; what lay in
    the data directory is kept on the host. `PROXYSQL RELOAD TLS` shows the new one to whoever connects from then on."""
    state, place, host = facts[PROXYSQL], at(FRONT), facts.host
    if not state or state.get("front") == "yes":
        return
    put, kept = shown(place, host.name, names, addresses, days), Stage.HAND_OUT.at(host.name)
    aside = f"{_KEPT}-{state.get('front_is') or 'none'}"
    yield Step(
        id=f"load_balancer.proxysql-front@{host.name}", tip="load_balancer", host=host.name, stage=Stage.HAND_OUT, read=PROXYSQL,
        before={"front": state.get("front")}, want={"front": "yes"},
        do=(make_key_and_request("client", host.name, "root:root", place=place), *put, _install(place.directory, aside)),
        undo=(_put_back(aside), *(RestoreFile(action.path, kept) for action in reversed(put))),
        title=f"show clients a certificate for {', '.join((*names, *addresses))}",
    )  # fmt: skip


def _install(directory: str, kept: str) -> Shell:
    """All three or none: with two of them ProxySQL does not start."""
    return Shell(
        WAY_IN
        + _DATADIR
        + sh(
            "mkdir -p -m 700 {{kept}}\n"
            + _FILES
            + "  [ ! -e $d/proxysql-$f.pem ] || [ -e {{kept}}/$f ] || cp -a $d/proxysql-$f.pem {{kept}}/$f\n"
            "  cp {{from}}/$f.pem $d/proxysql-$f.galvan-new\n  chown --reference=$d $d/proxysql-$f.galvan-new; chmod 600 $d/proxysql-$f.galvan-new\ndone\n"
            + _FILES
            + "  mv -f $d/proxysql-$f.galvan-new $d/proxysql-$f.pem\ndone\n",
            kept=kept,
            **{"from": directory},
        ).text
        + _RELOAD
    )


def _put_back(kept: str) -> Shell:
    return Shell(
        sh("[ -d {{kept}} ] || exit 0\n", kept=kept).text
        + WAY_IN
        + _DATADIR
        + sh(
            _FILES
            + "  [ ! -e {{kept}}/$f ] || cp -a {{kept}}/$f $d/proxysql-$f.galvan-new\ndone\n"
            + _FILES
            + "  [ ! -e $d/proxysql-$f.galvan-new ] || mv -f $d/proxysql-$f.galvan-new $d/proxysql-$f.pem\ndone\n",
            kept=kept,
        ).text
        + _RELOAD
        + sh("rm -rf {{kept}}\n", kept=kept).text
    )
