"""What of Galera's own settings is no channel, and the links to replicas."""

from __future__ import annotations

from collections.abc import Callable

from galvan.cluster.facts import PLATFORM, STATUS, VARIABLES
from galvan.cluster.health import text
from galvan.cluster.provider import yes
from galvan.model import HostFacts, Judgement, Rung, Severity, Snapshot, check, holds, not_here
from galvan.tips.hardening import versions
from galvan.tips.hardening.files import FILES
from galvan.tips.hardening.host import MACHINE, Link, links
from galvan.tips.hardening.limits import server
from galvan.tips.hardening.owners import faulty
from galvan.tips.hardening.settings import shown

ROOM = 900.0
"""Seconds for which a member may be away: stop, start, and someone who looks at it in between."""
_SIZES = {"K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


@check(
    "hardening.replication-debug", Severity.MEDIUM, "Replication writes passwords into the log", rung=Rung.READY, control="GA-19",
    remedy="SET GLOBAL wsrep_debug=NONE, and the same in the option file",
)  # fmt: skip
def replication_debug(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """With wsrep_debug the text of CREATE USER and SET PASSWORD goes to the error log, on every member."""
    if (seen := shown(facts, "wsrep_debug")) is None:
        return not_here("this server has no wsrep_debug")
    return holds(seen in ("NONE", "OFF", "0"), f"@@wsrep_debug={seen}", "NONE")


@check(
    "hardening.notify-command", Severity.HIGH, "Peers may speak to a shell", rung=Rung.READY, control="GA-20",
    remedy="wsrep_notify_cmd= (empty), or a fixed release and a script of root's",
)  # fmt: skip
def notify_command(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """wsrep_notify_cmd is given what other members say of themselves. In older releases a member's name ran as a command on all."""
    seen = shown(facts, "wsrep_notify_cmd") or ""
    if not seen:
        return holds(True, "@@wsrep_notify_cmd=(empty)", "empty, or a fixed release and a script of root's")
    script = dict(facts[FILES].of("script")).get(seen.split(" ")[0])
    bad = [hole for hole in versions.holes(server(facts)) if "wsrep_notify_cmd" in hole]
    bad += (
        ["the script was not found"]
        if script is None
        else [f"the script is {script}"]
        if faulty(0o755, ("root",))(seen, script)
        else []
    )
    return holds(
        not bad,
        f"@@wsrep_notify_cmd={seen}" + "".join(f"; {why}" for why in bad),
        "empty, or a fixed release and a script of root's",
    )


@check(
    "hardening.receive-addresses", Severity.MEDIUM, "Members listen in every network", rung=Rung.OPEN, control="GA-21",
    remedy="gmcast.listen_addr and ist.recv_addr in wsrep_provider_options, wsrep_node_address, wsrep_sst_receive_address: the internal address",
)  # fmt: skip
def receive_addresses(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """On a host with several networks a member may announce the wrong one, and then state transfers cross it."""
    addresses = [a for a in text(facts[PLATFORM], "addresses").split() if "." in a]
    if len(addresses) < 2:
        return holds(True, f"the host has one address, {' '.join(addresses)}", "the internal address")
    seen = facts[VARIABLES]
    listens = str(seen.get("provider.gmcast.listen_addr") or "")
    bad = [f"gmcast.listen_addr={listens}"] if "0.0.0.0" in listens or "[::]" in listens else []  # noqa: S104 - looked for
    bad += [f"{name}=(empty)" for name in ("wsrep_node_address",) if not seen.get(name)]
    bad += [
        f"{name}={seen.get(name)}"
        for name in ("wsrep_sst_receive_address",)
        if seen.get(name) == "AUTO" and not seen.get("wsrep_node_address")
    ]
    return holds(not bad, f"{len(addresses)} addresses; {', '.join(bad) or listens}", "the internal address")


def alone(facts: HostFacts) -> Judgement | None:
    """What is not a member is not concerned."""
    return not_here("wsrep_on=OFF") if text(facts[VARIABLES], "wsrep_on") != "ON" else None


@check(
    "hardening.cluster-name", Severity.LOW, "The cluster has the name of every other one", rung=Rung.OPEN, control="GA-22",
    remedy="another wsrep_cluster_name; all members have to be stopped for it",
)  # fmt: skip
def cluster_name(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A test host with the default name and a wrong address joins the cluster, and takes its data."""
    if said := alone(facts):
        return said
    seen = text(facts[VARIABLES], "wsrep_cluster_name")
    return holds(
        seen.lower() not in ("my_wsrep_cluster", "galera", "galera cluster", "mariadb galera cluster", ""),
        f"@@wsrep_cluster_name={seen}",
        "a name of its own",
    )


def size(said: str) -> float:
    """
    >>> size("128M"), size("1.5G"), size("134217728")
    (134217728.0, 1610612736.0, 134217728.0)
    """
    unit = said[-1:].upper()
    return float(said[:-1]) * _SIZES[unit] if unit in _SIZES else float(said)


@check(
    "hardening.catch-up", Severity.MEDIUM, "A member that was away takes a full copy", rung=Rung.OPEN, control="GA-26",
    remedy="a larger gcache.size in wsrep_provider_options, and a restart",
)  # fmt: skip
def catch_up(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A full copy is slow, takes a donor away, and opens port 4444; what a restart missed should fit into the donor's cache."""
    if said := alone(facts):
        return said
    status = facts[STATUS]
    if (uptime := float(text(status, "Uptime"))) < ROOM:
        return not_here(f"the server counts since {uptime:.0f} s, too short a time to go by")
    rate = (float(text(status, "wsrep_replicated_bytes")) + float(text(status, "wsrep_received_bytes"))) / uptime
    cache = text(facts[VARIABLES], "provider.gcache.size")
    seconds = size(cache) / rate if rate else float("inf")
    kept = "all that is written" if seconds == float("inf") else f"what is written in {seconds:.0f} s"
    return holds(
        seconds >= ROOM,
        f"gcache.size={cache} holds {kept}, at the rate since the start ({uptime:.0f} s ago)",
        f"{ROOM:.0f} s",
    )


@check(
    "hardening.cache-encrypted", Severity.LOW, "Write sets lie on the disk in clear text", rung=Rung.OPEN, control="GA-29",
    remedy="wsrep_provider_options gcache.encryption=yes (Percona XtraDB Cluster 8), and a restart", strict=True,
)  # fmt: skip
def cache_encrypted(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Tables are encrypted, and the last rows of each lie beside them in gcache. Community builds cannot encrypt it."""
    seen = facts[VARIABLES].get("provider.gcache.encryption")
    if seen is None:
        return not_here("this provider cannot encrypt its cache")
    return holds(yes(str(seen)), f"gcache.encryption={seen}", "yes")


def _each(facts: HostFacts, bad: str, want: str, fault: Callable[[Link], bool]) -> Judgement:
    found: tuple[Link, ...] = links(str(facts[MACHINE].get("links", "")))
    if not found:
        return not_here("this host replicates from nobody beside the cluster")
    wrong = [link.source for link in found if fault(link)]
    return holds(
        not wrong,
        f"{bad}: {', '.join(wrong)}" if wrong else f"{', '.join(link.source for link in found)}: {want}",
        want,
    )


@check(
    "hardening.links-encrypted", Severity.HIGH, "Replication from another server travels in clear text", rung=Rung.OPEN, control="RP-01",
    references=("CIS MariaDB 10.6 9.1",), remedy="CHANGE MASTER TO MASTER_SSL=1",
)  # fmt: skip
def links_encrypted(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Every row crosses that link, mostly between two sites."""
    return _each(facts, "in clear text", "Master_SSL_Allowed: Yes", lambda link: not link.encrypted)


@check(
    "hardening.links-verified", Severity.HIGH, "A replica does not ask who its source is", rung=Rung.OPEN, control="RP-02",
    references=("CIS MariaDB 10.6 9.2",), remedy="CHANGE MASTER TO MASTER_SSL_CA, MASTER_SSL_VERIFY_SERVER_CERT=1",
)  # fmt: skip
def links_verified(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Whoever stands on the path shows a certificate of his own, and writes rows of his own."""
    return _each(facts, "not verified", "Master_SSL_Verify_Server_Cert: Yes", lambda link: not link.verifies)


@check(
    "hardening.links-cipher", Severity.LOW, "A replica takes any cipher", rung=Rung.OPEN, control="RP-03",
    references=("CIS MariaDB 10.6 9.4",), remedy="CHANGE MASTER TO MASTER_SSL_CIPHER", strict=True,
)  # fmt: skip
def links_cipher(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """The source's own list decides then; with both at their defaults that is a good one."""
    return _each(facts, "no list", "Master_SSL_Cipher is set", lambda link: not link.cipher)


CHECKS = (
    replication_debug, notify_command, receive_addresses, cluster_name, catch_up, cache_encrypted, links_encrypted, links_verified,
    links_cipher,
)  # fmt: skip
