"""What is encrypted on disk, and whether its keys are kept as keys are. Where the policy does not ask for encryption at
rest and a server has none, nothing is missing under the profile `baseline`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from galvan.cluster.dialects import Dialect, dialect
from galvan.cluster.facts import VARIABLES
from galvan.cluster.health import text
from galvan.model import HostFacts, Judgement, Role, Rung, Severity, Snapshot, State, check, holds, not_here
from galvan.pki.keyring import key_path
from galvan.tips.hardening.at_rest.facts import CLEAR, DISK, FILES, TABLES
from galvan.tips.hardening.at_rest.keyring import WANTED

ASK = "policy: {hardening: {at_rest: file}}"
NOT_ASKED = "encryption at rest is not asked for"
TEMPORARY = ("encrypt_tmp_files", "encrypt_tmp_disk_tables", "aria_encrypt_tables", "innodb_encrypt_temporary_tables")
_SAID = re.compile(r"(\d+) (\S+) in (\d+) (\S+)( datadir)?")


def asked(facts: HostFacts, snapshot: Snapshot) -> bool:
    """By the policy, or by the server: who has begun to encrypt wants it whole."""
    return bool(snapshot.cluster.policy.hardening.at_rest) or begun(facts)


def begun(facts: HostFacts) -> bool:
    return bool(facts[TABLES]["plugin"]) or facts[TABLES]["begun"] != "0"


def _elsewhere(facts: HostFacts, key: str) -> Judgement | None:
    """MySQL and PXC keep their keys in a component; what they are asked for is read from their variables."""
    if (kind := dialect(facts[VARIABLES])) is Dialect.MARIADB:
        return None
    return not_here(f"{kind} is not looked at here; {key} would be: {WANTED[key]}")


def _off(facts: HostFacts, snapshot: Snapshot, key: str = "tables") -> Judgement | None:
    """Why the check does not concern this host, if it does not."""
    if elsewhere := _elsewhere(facts, key):
        return elsewhere
    return None if asked(facts, snapshot) else not_here(NOT_ASKED)


@check(
    "hardening.at-rest-tables", Severity.HIGH, "Tables lie on the disk in clear text", rung=Rung.ENFORCED, control="EN-01",
    references=("CIS MariaDB 10.6 4.9", "STIG MADB-10-005200"),
)  # fmt: skip
def at_rest_tables(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Whoever gets hold of a disk, a snapshot or a copied file reads every row. With innodb_encrypt_tables new tables are
    encrypted, and background threads see to those that are there, but for those that nobody opened since the server started:
    it does not even list them. They are looked at on the disk."""
    if off := _off(facts, snapshot):
        strict = off.seen == NOT_ASKED and snapshot.cluster.policy.profile == "strict"
        return holds(False, NOT_ASKED, ASK) if strict else off
    seen = facts[TABLES]
    bare = [*str(seen["clear"]).split(), *_unopened(facts)]
    good = not bare and seen["encrypted"] == seen["count"] and seen["setting"] in ("ON", "FORCE")
    said = f"innodb_encrypt_tables={seen['setting']}, {seen['progress']}" + (
        f"; clear: {' '.join(bare[:4])}" if bare else ""
    )
    return holds(good, said, "ON, and every tablespace encrypted")


def _unopened(facts: HostFacts) -> list[str]:
    """Tables that the server has not opened since it started and that are clear on the disk."""
    names = str(facts[TABLES]["unopened"]).split()
    return [name for name in names if name in facts[CLEAR] or "all" in facts[CLEAR]]


@check(
    "hardening.at-rest-redo", Severity.HIGH, "The redo log lies on the disk in clear text", rung=Rung.ENFORCED, control="EN-02",
    references=("CIS MariaDB 10.6 4.9",),
)  # fmt: skip
def at_rest_redo(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Each changed row goes through the redo log first, so encrypted tables beside a clear redo log hide little. Undo is
    part of the tablespaces, and encrypted with them."""
    if off := _off(facts, snapshot, "redo"):
        return off
    setting, disk = text(facts[VARIABLES], "innodb_encrypt_log"), facts[DISK]["redo"]
    return holds(
        setting == "ON" and disk == "encrypted",
        f"innodb_encrypt_log={setting}, ib_logfile0 is {disk}",
        "ON, and encrypted",
    )


@check(
    "hardening.at-rest-binlog", Severity.HIGH, "Binary logs lie on the disk in clear text", rung=Rung.ENFORCED, control="EN-03",
    references=("CIS MariaDB 10.6 6.6",),
)  # fmt: skip
def at_rest_binlog(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Binary logs hold every changed row as well, and are copied about more than tables are. Those that were written before
    stay as they are until they expire; `hardening.at-rest-left` counts them."""
    if off := _off(facts, snapshot, "binlog"):
        return off
    setting, disk = text(facts[VARIABLES], "encrypt_binlog"), facts[DISK]
    seen = f"encrypt_binlog={setting}, {disk['binlogs_encrypted']} of {disk['binlogs']} files are encrypted"
    none = disk["binlogs"] == "0" or facts[VARIABLES].get("log_bin") == "OFF"
    written = none or disk["binlogs_encrypted"] != "0"
    return holds(setting == "ON" and written, seen, "ON, and what is written now encrypted")


@check(
    "hardening.at-rest-temporary", Severity.MEDIUM, "Temporary files and Aria tables are written in clear text",
    rung=Rung.ENFORCED, control="EN-04", references=("STIG MADB-10-008600",),
)  # fmt: skip
def at_rest_temporary(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A large sort, and a temporary table that does not fit into memory, leave rows of encrypted tables on the disk."""
    if off := _off(facts, snapshot, "temporary"):
        return off
    seen = {name: text(facts[VARIABLES], name) for name in TEMPORARY}
    wrong = ", ".join(f"{name}={value}" for name, value in seen.items() if value != "ON")
    return holds(not wrong, wrong or "all four are ON", f"ON: {', '.join(TEMPORARY)}")


@check(
    "hardening.at-rest-keys", Severity.HIGH, "Members do not have the same keys of encryption at rest", rung=Rung.READY,
    control="EN-05",
)  # fmt: skip
def at_rest_keys(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A state transfer copies files as they are. A joiner without the donor's keys cannot open them, and does not come back."""
    if off := _off(facts, snapshot):
        return off
    mine, plugin = facts[FILES], str(facts[TABLES]["plugin"])
    if not plugin:
        return holds(False, "no plug-in that keeps keys is loaded", "the same one, with the same keys, on every member")
    if behind := unread(facts, snapshot):
        return holds(False, behind, "every member runs with every key that is kept")
    for other in snapshot.having(Role.DATABASE):
        theirs = str(other[TABLES]["plugin"]) or "none"
        if theirs != plugin:
            return holds(False, f"{plugin} here, {theirs} on {other.host.name}", f"{plugin} on both")
        if different := _differ(mine, other[FILES]):
            return holds(False, f"{different} is not the same on {other.host.name}", "the same keys on every member")
    said = f"{plugin}, keys {mine['keys']}" if mine["keys"] else plugin
    return holds(True, f"{said}, and so on every member", "")


def unread(facts: HostFacts, snapshot: Snapshot) -> str:
    """Which of Galvan's keys this server does not know yet: a rotation is under way."""
    if facts[FILES]["ours"] != "yes":
        return ""
    if lacking := [number for number, _ in snapshot.cluster.escrow if f"key {number}" not in facts[FILES]]:
        return f"key {', '.join(lacking)} is kept and not on this host"
    newest = key_path(str(facts[FILES]["keys"]).split(","))
    running = facts[VARIABLES].get("file_key_management_filename")
    return f"the server runs with {running}, and {newest} is there" if running != newest else ""


def _differ(mine: State, theirs: State) -> str:
    return next((k for k in sorted({*mine, *theirs}) if k.startswith("key ") and mine.get(k) != theirs.get(k)), "")


@check(
    "hardening.at-rest-key-files", Severity.CRITICAL, "Others than the server can read the keys of encryption at rest",
    rung=Rung.READY, control="FP-12", references=("CIS MariaDB 10.6 3.10",),
)  # fmt: skip
def at_rest_key_files(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Keys that lie beside the data travel with every copy of it, and a readable key file is no lock. The key file is to be
    encrypted, and what opens it to lie in a file of its own: in an option file it would be shown to whoever asks for options."""
    if elsewhere := _elsewhere(facts, "keys"):
        return elsewhere
    seen = facts[FILES]
    if not seen["named"]:
        return not_here("file_key_management is not used")
    wrong = [f"{name} is not there" for key, name in seen.items() if key == "missing"]
    wrong += [told for name, said in _paths(seen).items() for told in _complaints(name, said)]
    if seen.get("password") != "file":
        wrong.append(
            "file_key_management_filekey stands in the option file itself"
            if seen.get("password") == "literal"
            else "the key file is not encrypted"
        )
    want = "encrypted, its password in a file; both 0600 mysql in a directory 0750, outside of the datadir"
    return holds(
        not wrong, "; ".join(wrong) or ", ".join(f"{name} {said}" for name, said in _paths(seen).items()), want
    )


def _paths(seen: State) -> Mapping[str, str]:
    return {key.removeprefix("file "): str(said) for key, said in seen.items() if key.startswith("file ")}


def _complaints(name: str, said: str) -> list[str]:
    match = _SAID.fullmatch(said)
    if match is None:
        return [f"{name}: {said}"]
    mode, owner, directory, keeper, inside = match.groups()
    told = [f"{name} has mode {mode}"] if int(mode, 8) & 0o177 else []
    told += [f"{name} belongs to {owner}"] if owner not in ("mysql", "root") else []
    told += [f"its directory has mode {directory}"] if int(directory, 8) & 0o027 else []
    told += [f"its directory belongs to {keeper}"] if keeper not in ("mysql", "root") else []
    return told + ([f"{name} lies in the datadir"] if inside else [])


@check(
    "hardening.at-rest-escrow", Severity.HIGH, "The keys of encryption at rest are kept nowhere but on the hosts",
    rung=Rung.READY, control="EN-05",
)  # fmt: skip
def at_rest_escrow(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Without its key no backup and no surviving disk can be read again. Galvan keeps its keys sealed on the operator's side
    before the first table is encrypted; keys of your own are yours to keep, which an audit cannot see."""
    if off := _off(facts, snapshot, "keys"):
        return off
    seen, kept = facts[FILES], dict(snapshot.cluster.escrow)
    if seen["ours"] != "yes":
        return not_here("no keys of Galvan's are here")
    lost = [
        name
        for name, print_ in seen.items()
        if name.startswith("key ") and kept.get(name.removeprefix("key ")) != print_
    ]
    said = f"not kept on this machine: {', '.join(lost)}" if lost else f"keys {seen['keys']} are kept on this machine"
    return holds(not lost, said, "each key kept (galvan apply from the machine that made it, or its state directory)")


@check(
    "hardening.at-rest-rotation",
    Severity.LOW,
    "Nothing would re-encrypt tables when a key changes",
    rung=Rung.OPEN,
    control="EN-06",
)
def at_rest_rotation(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Background threads encrypt what is clear, and bring tables to a newer version of their key where the key store has
    versions. file_key_management has none: there a new key has a new number (`galvan rotate at-rest-key`)."""
    if off := _off(facts, snapshot):
        return off
    age = text(facts[VARIABLES], "innodb_encryption_rotate_key_age")
    threads = str(facts[TABLES]["threads"])
    return holds(
        threads != "0" and age != "0",
        f"innodb_encryption_threads={threads}, innodb_encryption_rotate_key_age={age}",
        "both above 0",
    )


@check(
    "hardening.at-rest-left",
    Severity.INFO,
    "What encryption at rest leaves in clear text",
    rung=Rung.OPEN,
    control="EN-07",
)
def at_rest_left(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Galera's write-set cache (galera.cache) has no encryption in the community's servers and holds the last changed rows;
    so do dumps, backups that are not encrypted, and binary logs from before. System tables in Aria stay as they were made.
    Keep the datadir on an encrypted disk where that is not enough."""
    if off := _off(facts, snapshot):
        return off
    disk = facts[DISK]
    if disk["beneath"] == "crypt":
        return holds(True, "the datadir lies on an encrypted disk", "")
    old = int(str(disk["binlogs"])) - int(str(disk["binlogs_encrypted"]))
    seen = (
        "galera.cache"
        + (f", {old} binary logs from before" if old else "")
        + ", system tables in Aria, dumps and the error log"
    )
    return holds(False, seen, "an encrypted disk beneath, or the risk accepted")


CHECKS = (
    at_rest_tables, at_rest_redo, at_rest_binlog, at_rest_temporary, at_rest_keys, at_rest_key_files, at_rest_escrow,
    at_rest_rotation, at_rest_left,
)  # fmt: skip
