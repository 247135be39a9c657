"""What is open to others is closed, and opened again exactly as it was."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from galvan.cluster.quote import sh
from galvan.model import HostFacts, Stage, State, Step, Value
from galvan.tips.hardening.files import EXCHANGE, FILES, MODES, Seen
from galvan.tips.hardening.owners import socket_inside

TIP = "hardening"
Wanted = tuple[int, str, str]  # mode, owner, group


def mend(facts: HostFacts, failing: Collection[str]) -> Iterator[Step]:
    found, wanted = facts[FILES], dict[str, Wanted]()
    for check, (tags, want) in _WANT.items():
        if check in failing:
            wanted |= {path: want(seen) for path, seen in found.of(*tags)}
    if socket_inside(facts):
        wanted |= {
            path: (seen.mode & 0o771, seen.owner, seen.group) for path, seen in found.of("data") if path in wanted
        }
    if "hardening.secrets-closed" in failing:
        homes = found.places.get("login", ())
        wanted |= {
            path: (_own if path in homes else _secret)(found.seen[path])
            for _, path in found.secrets
            if path in found.seen
        }
    if "hardening.file-exchange" in failing:
        yield from make(facts, EXCHANGE)
    listed_while_open = {path for path, seen in found.of("log_bin", "relay_log") if not path.endswith(".index")}
    for path, (mode, owner, group) in wanted.items():
        seen = found.seen[path]
        if (mode, owner, group) != (seen.mode, seen.owner, seen.group):
            yield _step(
                facts, path, seen, Seen(mode, owner, group, seen.directory, seen.mount), path in listed_while_open
            )


def _step(facts: HostFacts, path: str, seen: Seen, want: Seen, vanishes: bool) -> Step:
    """`vanishes`: of files that come and go only those are listed with which something is wrong."""
    before: State = {path: str(seen)}
    after: dict[str, Value] = {path: None if vanishes else str(want)}
    do, undo = (
        (
            sh(
                "chown {{owner}} {{path}}; chmod {{mode}} {{path}}",
                owner=f"{s.owner}:{s.group}",
                mode=f"{s.mode:04o}",
                path=path,
            ),
        )
        for s in (want, seen)
    )
    return Step(
        id=f"{TIP}.mode-{path}@{facts.host.name}", tip=TIP, host=facts.host.name, stage=Stage.PREPARE, read=MODES, before=before,
        want=after, do=do, undo=undo, title=f"{path}: {seen} becomes {want}",
    )  # fmt: skip


def make(facts: HostFacts, path: str) -> Iterator[Step]:
    """A directory of the server's own. What lies in it by the time of the way back is put aside with it."""
    host, aside = facts.host.name, f"/var/lib/galvan/removed/{path.strip('/').replace('/', '-')}"
    if path not in facts[FILES].seen:
        yield Step(
            id=f"{TIP}.directory-{path}@{host}", tip=TIP, host=host, stage=Stage.PREPARE, read=MODES, before={path: None},
            want={path: "0750 mysql:mysql"}, title=f"make {path}",
            do=(sh("mkdir -p {{d}}; chown mysql:mysql {{d}}; chmod 0750 {{d}}; ! command -v restorecon >/dev/null || restorecon {{d}}", d=path),),
            undo=(sh("! [ -d {{d}} ] || rmdir {{d}} 2>/dev/null || { mkdir -p -m 0700 {{up}}; mv {{d}} {{a}}-$(date +%s); }", d=path, a=aside, up="/var/lib/galvan/removed"),),
        )  # fmt: skip


def _closed(seen: Seen) -> Wanted:
    return seen.mode & 0o770, seen.owner, seen.group


def _roots(seen: Seen) -> Wanted:
    return seen.mode & ~0o022, "root", seen.group


def _own(seen: Seen) -> Wanted:
    return 0o600, seen.owner, seen.group


def _secret(seen: Seen) -> Wanted:
    """The server reads its files as mysql, so what was open to all stays open to that group."""
    if not seen.mode & ~0o640 and seen.owner in ("root", "mysql"):
        return seen.mode, seen.owner, seen.group
    return (seen.mode & 0o640, "mysql", seen.group) if seen.owner == "mysql" else (0o640, "root", "mysql")


_WANT = {
    "hardening.data-directory": (("data",), _closed),
    "hardening.data-files": (("data",), _closed),
    "hardening.binary-log-files": (("log_bin",), _closed),
    "hardening.relay-log-files": (("relay_log",), _closed),
    "hardening.error-log-file": (("log_error",), _closed),
    "hardening.slow-log-file": (("slow_query_log_file",), _closed),
    "hardening.audit-log-file": (("server_audit_file",), _closed),
    "hardening.keys-closed": (("key",), _secret),
    "hardening.plugin-directory": (("plugins",), _roots),
    "hardening.option-files": (("options",), _roots),
    "hardening.scripts": (("script",), _roots),
    "hardening.login-files": (("login",), _own),
    "hardening.exchange-directory": (("exchange",), lambda seen: (seen.mode & 0o770, "mysql", "mysql")),
}
