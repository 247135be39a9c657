"""The demo: an insecure Galera cluster is encrypted while it serves, and the result is proven from outside.

Boots the lab, starts writers that go through the balancer, runs `init → audit → plan → apply → verify` with the same
command that an operator would type, compares every acknowledged row with every node, and prints a scoreboard. Leaves the
lab up. Writes build/demo.json. Exit status 0 only when nothing failed, nothing was lost and everything is proven.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from galvan import lab
from galvan.lab import LoadReport

WRITERS = int(os.environ.get("GALVAN_DEMO_WRITERS", "8"))
WATCH = os.environ.get("GALVAN_DEMO_WATCH", "20")
HOME = Path("build/demo")
FILE = HOME / "galvan.yaml"
DECIDED = {
    "load_balancer.redundant": "one balancer is all that the lab has",
    "hardening.accounts-from-anywhere": "the lab's writer may move to another host",
    "hardening.password-forms": "the lab's writer has no other plug-in",
    "hardening.password-reuse": "each member would keep a history of its own",
    "hardening.binary-log": "nobody restores the lab to a moment",
    "hardening.audit-off-host": "the lab has no log host",
    "sst_account.old-secret": "the lab's root has a password beside its socket",
}
"""What no program decides for a DBA, and what one might say of it."""
Json = dict[str, Any]


def main() -> int:
    began = time.monotonic()
    say("a lab as insecure as the seed's reader is: no TLS, no firewall, state transfers as root")
    fresh_lab()
    say(f"{WRITERS} writers begin to write through the balancer")
    lab.start_load(writers=WRITERS)
    try:
        before, after, ended, seconds = climb()
    finally:
        report = lab.stop_load()
    say("the proofs, with a wire tap while a marker is written")
    proven = galvan("verify", "--write-marker", name="verify", allow=(0, 3, 4))
    final = galvan("audit", "--fail-on", "low", name="audit-after", allow=(0, 3, 4))
    again = galvan("apply", "--auto-approve", "--passphrase-file", str(HOME / "passphrase"), name="again")
    board = score(report, before, final["rungs"], ended, proven, seconds)
    good = show(board, report, final, again, after)
    print(f"\nThe whole demo took {time.monotonic() - began:.0f} s. The lab is still up. Try next:")
    print(f"  galvan audit --all --cluster {FILE}\n  galvan pki status --cluster {FILE}\n  galvan lab ssh db1")
    print(
        f"  galvan rollback --cluster {FILE} --passphrase-file {HOME / 'passphrase'}    (all of it, byte for byte)\n  galvan lab down"
    )
    return 0 if good else 1


def fresh_lab() -> None:
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    (HOME / "passphrase").touch(mode=0o600)
    (HOME / "passphrase").write_text(secrets.token_urlsafe(24))
    os.environ["GALVAN_STATE"] = str((HOME / "state").absolute())
    if lab.running():
        lab.down()
    lab.up()


def climb() -> tuple[Json, Json, Json, float]:
    """init, audit, plan, apply: rungs before, the plan, how the run ended, and how long it took."""
    present = lab.current()
    say("galvan init: one member is asked for the rest")
    galvan(
        "init", "db1", "--ssh-config", str(present.ssh_config), "--application", "app1", "--outsider", "mallory",
        "--probe-user", "app", "--probe-password-file", str(present.password_file), name="init", text=True,
    )  # fmt: skip
    say(f"{len(DECIDED)} findings are for a person to decide: they are accepted, by name and until a day")
    until = time.strftime("%Y-%m-%d", time.localtime(time.time() + 365 * 86400))
    with FILE.open("a") as file:
        file.write("accept:\n")
        for check, reason in DECIDED.items():
            file.write(f'- {{check: {check}, reason: "{reason}", owner: the demo, until: "{until}"}}\n')
    say("galvan audit")
    before = galvan("audit", name="audit-before", allow=(0,))
    bad = sum(finding["verdict"] == "fail" for finding in before["findings"])
    print(f"  {bad} findings fail; rungs: {before['rungs']}")
    say("galvan plan -o plan.json")
    plan = galvan("plan", "-o", str(HOME / "plan.json"), name="plan")
    print(f"  {len(plan['waves'])} waves, restarts {plan['restarts_per_host']}")
    say("galvan apply plan.json, while the writers write")
    began = time.monotonic()
    ended = galvan(
        "apply", str(HOME / "plan.json"), "--watch", WATCH, "--passphrase-file", str(HOME / "passphrase"), name="apply"
    )
    return before, plan, ended, time.monotonic() - began


def galvan(verb: str, *words: str, name: str, allow: tuple[int, ...] = (0,), text: bool = False) -> Json:
    """Runs the command as an operator would; progress goes through, the report is kept under build/demo."""
    argv = [sys.executable, "-m", "galvan", verb, "--cluster", str(FILE), *words]
    if not text:
        argv += ["--format", "json"]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL, check=False)
    (HOME / f"{name}.json").write_text(done.stdout)
    if done.returncode not in allow:
        raise SystemExit(f"galvan {verb} ended with {done.returncode}:\n{done.stdout[-2000:]}")
    if text:
        print("  " + done.stdout.strip().replace("\n", "\n  "))
        return {}
    return dict(json.loads(done.stdout))


def score(report: LoadReport, before: Json, rungs: Json, ended: Json, proven: Json, seconds: float) -> Json:
    verdicts = [proof["verdict"] for proof in proven["proofs"]]
    board = {
        "transactions": report.acknowledged,
        "failed": report.failed,
        "lost": report.lost,
        "longest_gap_s": round(report.longest_gap, 2),
        "restarts_per_host": ended["restarts_per_host"],
        "rungs_before": before["rungs"],
        "rungs_after": rungs,
        "proofs": {verdict: verdicts.count(verdict) for verdict in ("pass", "fail", "unknown")},
        "duration_s": round(seconds, 1),
        "conflicts": report.conflicts,
        "ambiguous": report.ambiguous,
        "equal": report.equal,
        "gaps": [{"writer": w, "from": a, "to": b, "explained": explained(a, b)} for w, a, b in report.gaps],
        "logins": {"tls": report.logins_tls, "plain": report.logins_plain},
    }
    Path("build").mkdir(exist_ok=True)
    Path("build/demo.json").write_text(json.dumps(board, indent=1) + "\n")
    return board


_VIEWS: list[float] = []


def explained(start: float, end: float) -> bool:
    """Did the membership change while this gap lasted? From the members' own logs."""
    if not _VIEWS:
        for host in lab.current().databases:
            said = lab.execute(
                host.name,
                "journalctl -u mariadb -o short-unix --no-pager | grep -E 'view\\(view_id|save pc into disk|New COMPONENT' || true",
            )
            _VIEWS.extend(float(line.split(" ", 1)[0]) for line in said.splitlines() if line[:1].isdigit())
    return any(start - 0.5 <= at <= end + 0.5 for at in _VIEWS)


def show(board: Json, report: LoadReport, final: Json, again: Json, plan: Json) -> bool:
    two = all(count == 2 for count in board["restarts_per_host"].values()) and len(board["restarts_per_host"]) == 3
    rows = [
        ("rungs before", text_of(board["rungs_before"]), True),
        ("rungs after", text_of(board["rungs_after"]), set(board["rungs_after"].values()) == {"proven"}),
        ("transactions acknowledged", str(board["transactions"]), board["transactions"] > 0),
        ("failed", str(board["failed"]), board["failed"] == 0),
        ("lost (missing on any node)", str(board["lost"]), board["lost"] == 0),
        ("all nodes equal", str(board["equal"]), board["equal"]),
        ("certification conflicts (1213)", str(board["conflicts"]), True),
        ("ambiguous commits", str(board["ambiguous"]), True),
        ("longest gap of a writer", f"{board['longest_gap_s']} s (bar: 4)", board["longest_gap_s"] < 4),
        ("gaps over 1 s, explained by a rejoin", f"{sum(g['explained'] for g in board['gaps'])} of {len(board['gaps'])}",
         all(g["explained"] for g in board["gaps"])),
        ("restarts per host, by the journals", text_of(board["restarts_per_host"]), two),
        ("proofs pass / fail / unknown", " / ".join(map(str, board["proofs"].values())),
         board["proofs"]["pass"] > 0 and not board["proofs"]["fail"] and not board["proofs"]["unknown"]),
        ("audit --fail-on low", text_of(counts(final)), not counts(final)["fail"] and not counts(final)["unknown"]),
        ("apply again", f"{again['waves_done']} actions", again["waves_done"] == 0),
        ("duration of the rollout", f"{board['duration_s']} s", True),
    ]  # fmt: skip
    print("\nScoreboard")
    for name, value, good in rows:
        print(f"  {'ok ' if good else 'BAD'}  {name:<38} {value}")
    for start, end, writers in stalls(board["gaps"]):
        print(f"       {writers} writers waited {end - start:.2f} s from {time.strftime('%T', time.localtime(start))}")
    for error, count in report.errors.items():
        print(f"       {count} × {error}")
    print(
        "  The seed expects an outage for this. The longest that any writer waited is the gap above."
        if board["failed"] == 0
        else ""
    )
    return all(good for _, _, good in rows)


def stalls(gaps: list[Json]) -> list[tuple[float, float, int]]:
    """Gaps of the writers that overlap are one stall."""
    merged: list[tuple[float, float, int]] = []
    for gap in sorted(gaps, key=lambda gap: gap["from"]):
        if merged and gap["from"] < merged[-1][1]:
            start, end, writers = merged.pop()
            merged.append((start, max(end, gap["to"]), writers + 1))
        else:
            merged.append((gap["from"], gap["to"], 1))
    return merged


def counts(audit: Json) -> dict[str, int]:
    verdicts = [finding["verdict"] for finding in audit["findings"]]
    return {verdict: verdicts.count(verdict) for verdict in ("pass", "fail", "unknown")}


def text_of(values: Json) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())


def say(text: str) -> None:
    print(f"\n== {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
