"""Keys first, on every host; then what needs them, host by host; at last the tables that are there.

The first restart only makes every member know the keys, and encrypts nothing: whoever becomes a donor or a joiner from
then on can open what it is sent. The second one switches encryption on. The way back is the same in reverse, and no
member forgets a key while anything on its disk needs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from galvan.cluster.facts import VARIABLES
from galvan.model import (
    Blind,
    Finding,
    HostFacts,
    Need,
    PutFile,
    Role,
    Rung,
    SecretRef,
    Setting,
    Shell,
    Snapshot,
    Sql,
    Stage,
    Step,
)
from galvan.pki.keyring import DIRECTORY, PASSWORD, key_path
from galvan.pki.places import BASE
from galvan.tips.hardening.at_rest.checks import TEMPORARY
from galvan.tips.hardening.at_rest.facts import DISK, DISK_SCRIPT, FILES, REWRITE_ARIA, TABLES

TIP = "hardening"
FIRST = ("1", "2")
"""1 is the key of tables and logs, 2 that of temporary files: so the server has it."""
THREADS = 1
STANDS_STILL = 120.0
_PLUGIN = {"file": "file_key_management", "hashicorp": "hashicorp_key_management"}
_SWITCHES = ("innodb_encrypt_log", "encrypt_binlog", *TEMPORARY)
_OPEN = Sql("SELECT SUM(DATA_LENGTH) FROM information_schema.TABLES WHERE ENGINE = 'InnoDB'")
"""Opens every table, so that the background threads see it."""
_MAKE = Shell(f"install -d -m 750 -o root -g mysql {BASE} {DIRECTORY}")
_PUT_ASIDE = Shell(
    f"[ -d {DIRECTORY} ] || exit 0\n"
    "umask 077; mkdir -p /var/lib/galvan/removed\n"
    f"mv {DIRECTORY} $(mktemp -d /var/lib/galvan/removed/at-rest.XXXXXX)/\n"
    f"rmdir {BASE} 2>/dev/null || true"
)


def _put_aside(path: str) -> Shell:
    """One of several key files: those that stay are what the server goes back to."""
    return Shell(
        f"umask 077; mkdir -p /var/lib/galvan/removed; [ ! -e {path} ] || mv {path} $(mktemp -d /var/lib/galvan/removed/at-rest.XXXXXX)/"
    )


_FREE = Shell(
    f"({{ set +eu\n{REWRITE_ARIA}}}) || {{ echo 'Aria tables could not be written anew in clear text' >&2; exit 1; }}\n"
    f"( set +eu\n{DISK_SCRIPT}\n) | grep -q '^binlogs_encrypted=[1-9]' || exit 0\n"
    "echo 'binary logs on this host are still encrypted, so the keys and their plug-in stay. Once no replica and no restore needs "
    "them: PURGE BINARY LOGS BEFORE NOW(), then galvan rollback again' >&2; exit 1"
)


def mend(failing: Sequence[Finding], snapshot: Snapshot, to: Rung) -> Iterator[Step | Need]:
    """Raises Blind where members have keys that Galvan does not keep, or not the same ones."""
    kind = snapshot.cluster.policy.hardening.at_rest
    wrong = {(finding.check, finding.host) for finding in failing if finding.rung is not Rung.OPEN}
    if not kind or not wrong:
        return
    theirs = _own_keys(snapshot, _PLUGIN[kind])
    numbers = _numbers(snapshot)
    for facts in snapshot.having(Role.DATABASE):
        if not theirs:
            yield from _keys(facts, kind, numbers, snapshot)
        if to >= Rung.ENFORCED:
            bare = ("hardening.at-rest-tables", facts.host.name) in wrong
            yield from _encryption(facts, bare, snapshot)


def _own_keys(snapshot: Snapshot, plugin: str) -> bool:
    """Has the owner given every member keys already? Then those are used, and left alone."""
    members = snapshot.having(Role.DATABASE)
    owned = {f.host.name: _named(f, plugin) for f in members if _named(f, plugin)}
    if not owned:
        return False
    bare = [f.host.name for f in members if f.host.name not in owned]
    if bare or len({tuple(sorted(_prints(f).items())) for f in members}) > 1:
        said = "; ".join(f"{name}: {what}" for name, what in owned.items())
        raise Blind(
            f"members have keys of your own, and not all of them the same ({said}): bring the same to every member first"
        )
    return True


def _named(facts: HostFacts, plugin: str) -> str:
    """The key store that is loaded or configured and is not Galvan's; empty where there is none. There can be only one."""
    loaded, named = str(facts[TABLES]["plugin"]), str(facts[FILES]["named"])
    if named and not named.startswith(f"{DIRECTORY}/"):
        return named
    return loaded if loaded != plugin else ""


def _prints(facts: HostFacts) -> dict[str, object]:
    return {key: said for key, said in facts[FILES].items() if key.startswith("key ")}


def _numbers(snapshot: Snapshot) -> tuple[str, ...]:
    """The keys that every member gets. Raises Blind where a host has one of Galvan's that is not kept here: another would be
    made, and the host could not open its tables with it."""
    kept = dict(snapshot.cluster.escrow)
    for facts in snapshot.having(Role.DATABASE):
        here = _prints(facts) if facts[FILES]["ours"] == "yes" else {}
        if lost := [key for key, said in here.items() if kept.get(key.removeprefix("key ")) != said]:
            raise Blind(
                f"{facts.host.name} has {', '.join(lost)} of encryption at rest, which this machine does not keep: work from the one "
                "that made it, or bring its state directory here"
            )
    return tuple(sorted({*FIRST, *kept}, key=int))


def _keys(facts: HostFacts, kind: str, numbers: Sequence[str], snapshot: Snapshot) -> Iterator[Step | Need]:
    host, plugin = facts.host.name, _PLUGIN[kind]
    settings = {"plugin_load_add": plugin}
    if kind == "hashicorp":
        settings |= {"hashicorp_key_management_vault_url": snapshot.cluster.policy.hardening.vault}
    else:
        settings |= {
            "file_key_management_filename": key_path(numbers), "file_key_management_filekey": f"FILE:{PASSWORD}",
            "file_key_management_encryption_algorithm": "aes_ctr",
        }  # fmt: skip
        if facts[TABLES]["keys"] and facts[VARIABLES].get("file_key_management_filename") != key_path(numbers):
            yield _newer(facts)
        missing = [number for number in numbers if f"key {number}" not in facts[FILES]]
        if missing or facts[FILES]["ours"] != "yes":
            yield _files(facts, numbers)
    known = plugin in str(facts[TABLES]["plugin"])
    reason = "the keys of encryption at rest are known; nothing is encrypted with them yet"
    for name, value in settings.items():
        if not known or (name == "file_key_management_filename" and facts[VARIABLES].get(name) != value):
            yield Setting(host, "mysqld", name, value, Stage.FIRST_RESTART, TIP, reason)
    newest = max(map(int, numbers))
    if newest > int(FIRST[-1]) and facts[VARIABLES].get("innodb_default_encryption_key_id") != str(newest):
        reason = "new tables get the newest key, which every member knows by then"
        yield Setting(
            host, "mysqld", "innodb_default_encryption_key_id", str(newest), Stage.ENCRYPT, TIP, reason, live=True
        )


def _newer(facts: HostFacts) -> Step:
    """No way back to fewer keys while a table uses one of those that would be missing. Nobody opened a table, nobody knows."""
    host = facts.host.name
    return Step(
        id=f"{TIP}.at-rest-newer@{host}", tip=TIP, host=host, stage=Stage.STAGE_STRICT, read=TABLES,
        before={"keys": facts[TABLES]["keys"], "unopened": ""}, want={}, do=(), undo=(_OPEN,),
        title="no table needs a newer key",
    )  # fmt: skip


def _files(facts: HostFacts, numbers: Sequence[str]) -> Step:
    host = facts.host.name
    return Step(
        id=f"{TIP}.at-rest-keys@{host}", tip=TIP, host=host, stage=Stage.PREPARE, read=FILES,
        before={"ours": facts[FILES]["ours"], "keys": facts[FILES]["keys"]}, want={"ours": "yes", "keys": ",".join(numbers)},
        do=(
            _MAKE,
            PutFile(PASSWORD, SecretRef("at-rest:filekey"), 0o600, "mysql:mysql"),
            PutFile(key_path(numbers), SecretRef(f"at-rest:keys:{','.join(numbers)}"), 0o600, "mysql:mysql"),
        ),
        undo=(_PUT_ASIDE,) if facts[FILES]["ours"] != "yes" else (_put_aside(key_path(numbers)),),
        title="lay down the keys of encryption at rest, which are kept on this side",
    )  # fmt: skip


def _encryption(facts: HostFacts, bare: bool, snapshot: Snapshot) -> Iterator[Step | Need]:
    host, seen = facts.host.name, facts[VARIABLES]
    off = [name for name in _SWITCHES if seen.get(name) != "ON"]
    for name in off:
        yield Setting(host, "mysqld", name, "ON", Stage.STAGE_STRICT, TIP, "encryption at rest")
    if off and facts[DISK]["left"] == "nothing":
        yield Step(
            id=f"{TIP}.at-rest-left@{host}", tip=TIP, host=host, stage=Stage.STAGE_STRICT, read=DISK,
            before={"left": "nothing"}, want={}, do=(), undo=(_FREE,), title="nothing on the disk needs a key any more",
        )  # fmt: skip
    if not bare:
        return
    iops = snapshot.cluster.policy.hardening.encryption_iops
    told = {
        "innodb_encrypt_tables": "ON",
        "innodb_encryption_threads": str(THREADS),
        "innodb_encryption_rotation_iops": str(iops),
    }
    for name, value in told.items():
        yield Setting(host, "mysqld", name, value, Stage.ENCRYPT, TIP, "tables are encrypted in the background")
    yield _tables(facts, iops)


def _tables(facts: HostFacts, iops: int) -> Step:
    """Done by the server itself, within its throttle. Tables that their owner encrypts one by one stay so on the way back."""
    host, seen = facts.host.name, facts[TABLES]
    before = "mixed" if seen["begun"] != "0" and seen["setting"] == "OFF" else "clear"

    def run(tables: str) -> tuple[Sql, ...]:
        return (
            _OPEN, Sql("SET GLOBAL innodb_encryption_threads = 0"), Sql(f"SET GLOBAL innodb_encryption_rotation_iops = {iops}"),
            Sql(f"SET GLOBAL innodb_encrypt_tables = {tables}"), Sql(f"SET GLOBAL innodb_encryption_threads = {THREADS}"),
        )  # fmt: skip

    return Step(
        id=f"{TIP}.at-rest-tables@{host}", tip=TIP, host=host, stage=Stage.ENCRYPT, read=TABLES,
        before={"tables": before}, want={"tables": "encrypted"}, do=run("ON"), undo=run("OFF"),
        title="encrypt tables in the background", patience=STANDS_STILL, progress="progress",
    )  # fmt: skip
