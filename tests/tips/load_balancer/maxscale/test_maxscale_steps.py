"""Judgements and steps: what stands there is judged, what is missing is planned, and every step can be undone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from galvan.cluster.facts import REQUIREMENTS
from galvan.model import (
    Balancing,
    Blind,
    Cluster,
    Disruption,
    Host,
    HostFacts,
    Judgement,
    Policy,
    PutFile,
    RestoreFile,
    Role,
    Scope,
    Snapshot,
    Stage,
    Unreadable,
    Verdict,
    remaining,
)
from galvan.tips.load_balancer.maxscale import accounts, checks, scripts, steps
from galvan.tips.load_balancer.maxscale.facts import CONFIG, DOOR, LISTENERS, config, listeners
from galvan.tips.load_balancer.maxscale.render import Door, Member, Tls, mark, objects

LB = Host("lb1", "10.0.3.5", Role.LOAD_BALANCER, "lb1", kind="maxscale")
MEMBER = Host("db1", "10.0.0.11", Role.DATABASE, "db1")
TLS = Tls("/c/ca.pem", "/c/cert.pem", "/c/key.pem")
WANTED = Door((24, 2, 4), (Member("db1", "10.0.0.11"),), Balancing(), TLS, "TLSv1.2", "ECDHE+AESGCM", 200)
DEFAULT = Policy()
NAMES = " ".join(sorted(each.name for each in objects(WANTED)))


def printed(files: str, version: str = "24.02.4", keys: str = "yes") -> str:
    """As the fact prints it, from lines like those of a file."""
    out = [f"version=MaxScale {version}", f"keys={keys}", "file /etc/maxscale.cnf"]
    for line in files.strip().splitlines():
        out.append(
            f"section {line[1:-1]}" if line.startswith("[") else line if line.startswith("runtime") else f"value {line}"
        )
    return "\n".join(out) + "\n"


def facts_of(
    files: str, door: Mapping[str, str] | None = None, version: str = "24.02.4", keys: str = "yes"
) -> HostFacts:
    text = printed(files, version, keys)
    base = {
        "default_login": "no",
        "own_login": "there",
        "galvan_enters": "yes",
        "sockets": "127.0.0.1:8989",
        "file": "",
        "marked": "",
        "objects": "",
        "kept": "yes",
        "passwords": "made",
        "certificate": "yes",
        "key": "read",
    }
    return HostFacts(LB, {CONFIG.id: config(text), LISTENERS.id: listeners(text), DOOR.id: {**base, **(door or {})}})


def judge(
    check: Callable[[HostFacts, Snapshot], Judgement], facts: HostFacts, policy: Policy = DEFAULT
) -> tuple[Verdict, str]:
    said = check(facts, Snapshot(Cluster("c", (LB,), policy), (facts,), {}, 0.0))
    return said.verdict, said.seen


OPEN = """
[maxscale]
admin_host=0.0.0.0
[s1]
type=server
address=10.0.0.11
[m]
type=monitor
module=mariadbmon
[svc]
type=service
router=readconnroute
servers=s1
[l]
type=listener
service=svc
port=3306
"""
SHUT = """
[maxscale]
admin_host=127.0.0.1
admin_ssl_key=/k
admin_ssl_cert=/c
[s1]
type=server
ssl=true
ssl_ca=/ca
ssl_version=TLSv1.2,TLSv1.3
ssl_verify_peer_certificate=true
ssl_verify_peer_host=true
max_routing_connections=100
[m]
type=monitor
module=galeramon
[f]
type=filter
module=firewall
mode=enforce
[svc]
type=service
router=readwritesplit
filters=f
max_connections=100
[l]
type=listener
service=svc
port=3306
ssl=true
ssl_version=TLSv1.2,TLSv1.3
"""
JUDGED = [
    (checks.members_tls, "s1: without TLS"), (checks.front_tls, "l (3306): clear text"), (checks.administration_tls, "plain HTTP"),
    (checks.statements, "no firewall"), (checks.limits, "max_routing_connections"), (checks.knows_galera, "mariadbmon does not know Galera"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "why"), JUDGED, ids=lambda each: getattr(each, "__name__", ""))
def test_open_is_seen_and_shut_is_passed(check: Callable[[HostFacts, Snapshot], Judgement], why: str) -> None:
    verdict, seen = judge(check, facts_of(OPEN))
    assert verdict is Verdict.FAIL
    assert why in seen
    assert judge(check, facts_of(SHUT, version="25.10.0"))[0] is Verdict.PASS


@pytest.mark.parametrize("check", [each for each, _ in JUDGED] + [checks.default_admin, checks.administration_closed])
def test_what_cannot_be_read_is_no_pass(check: Callable[[HostFacts, Snapshot], Judgement]) -> None:
    for readings in ({}, {CONFIG.id: None, DOOR.id: {}}):
        with pytest.raises(Unreadable):
            judge(check, HostFacts(LB, readings))


@pytest.mark.parametrize(
    ("tried", "verdict"),
    [("yes", Verdict.FAIL), ("no", Verdict.PASS), ("unknown", Verdict.UNKNOWN), ("", Verdict.UNKNOWN)],
)
def test_the_password_of_the_manual(tried: str, verdict: Verdict) -> None:
    assert judge(checks.default_admin, facts_of(SHUT, {"default_login": tried}))[0] is verdict
    assert (
        judge(checks.default_admin, facts_of("[maxscale]\nadmin_auth=false", {"default_login": tried}))[0]
        is Verdict.FAIL
    )
    assert (
        judge(checks.default_admin, facts_of("[maxscale]\nadmin_enabled=false", {"default_login": tried}))[0]
        is Verdict.PASS
    )


def test_the_administration_is_asked_where_it_listens() -> None:
    assert judge(checks.administration_closed, facts_of(SHUT))[0] is Verdict.PASS
    assert judge(checks.administration_closed, facts_of("[maxscale]"))[0] is Verdict.PASS
    assert judge(checks.administration_closed, facts_of(SHUT, {"sockets": "127.0.0.1:8989 *:8989"}))[0] is Verdict.FAIL
    assert judge(checks.administration_closed, facts_of(OPEN, {"sockets": ""})) == (Verdict.FAIL, "admin_host=0.0.0.0")


def test_old_versions_of_tls_are_seen_by_what_they_mean_there() -> None:
    old = SHUT.replace("ssl_version=TLSv1.2,TLSv1.3", "ssl_version=TLSv11")
    assert "speaks TLSv1.1" in judge(checks.front_tls, facts_of(old))[1]
    assert "speaks TLSv1.0" in judge(checks.members_tls, facts_of(SHUT.replace("ssl_version", "x")))[1]
    fair = SHUT.replace("ssl_version=TLSv1.2,TLSv1.3", "ssl_version=TLSv12")
    assert judge(checks.front_tls, facts_of(fair, version="22.08.11"))[0] is Verdict.PASS
    assert judge(checks.front_tls, facts_of(SHUT), Policy(min_tls="TLSv1.3"))[0] is Verdict.FAIL


@pytest.mark.parametrize(
    ("mode", "verdict", "detecting"),
    [
        ("enforce", Verdict.PASS, Verdict.PASS),
        ("supervise", Verdict.FAIL, Verdict.PASS),
        ("idle", Verdict.FAIL, Verdict.FAIL),
        ("learn-append", Verdict.FAIL, Verdict.FAIL),
    ],
)
def test_the_mode_of_the_firewall(mode: str, verdict: Verdict, detecting: Verdict) -> None:
    facts = facts_of(SHUT.replace("enforce", mode), version="25.10.0")
    assert judge(checks.statements, facts)[0] is verdict
    assert judge(lambda f, s: checks.statements(f, s, detecting=True), facts)[0] is detecting


def test_the_weakest_service_counts() -> None:
    more = (
        SHUT
        + "[svc2]\ntype=service\nrouter=readwritesplit\nmax_connections=9\n[l2]\ntype=listener\nservice=svc2\nport=3311\n"
    )
    assert judge(checks.statements, facts_of(more, version="25.10.0")) == (Verdict.FAIL, "firewall: nothing")
    old = SHUT.replace("module=firewall\nmode=enforce", "module=dbfwfilter\naction=allow")
    assert judge(checks.statements, facts_of(old, version="6.4.9"))[0] is Verdict.PASS


def test_who_may_feed_another_one() -> None:
    donor = SHUT.replace("module=galeramon", "module=galeramon\navailable_when_donor=true")
    assert judge(checks.knows_galera, facts_of(donor))[0] is Verdict.FAIL
    assert judge(checks.knows_galera, facts_of(donor), Policy(load_balancer=Balancing(donor=True)))[0] is Verdict.PASS
    running = SHUT.replace("router=readwritesplit", "router=readconnroute")
    assert "not Synced" in judge(checks.knows_galera, facts_of(running))[1]


def test_what_hides_galvans_file_is_seen() -> None:
    shadow = "runtime\n[galvan-db1]\ntype=server\n"
    assert judge(checks.as_written, facts_of(SHUT + shadow)) == (Verdict.FAIL, "changed while MaxScale ran: galvan-db1")
    assert judge(checks.as_written, facts_of(SHUT + shadow.replace("server", "filter")))[0] is Verdict.PASS


def test_a_member_that_was_added_and_a_certificate_that_ends_are_seen() -> None:
    def verdict(files: str, **door: str) -> tuple[Verdict, str]:
        facts = facts_of(files, {"file": "0" * 16, **door})
        said = checks.as_written(facts, Snapshot(Cluster("c", (LB, MEMBER)), (facts,), {}, 0.0))
        return said.verdict, said.seen

    mine = "[galvan-db1]\ntype=server\naddress=10.0.0.11"
    assert verdict(mine)[0] is Verdict.PASS
    assert verdict("[s1]\ntype=server\naddress=10.0.0.11")[0] is Verdict.PASS, "the owner's own"
    assert verdict("[s1]\ntype=server\naddress=10.0.0.12") == (Verdict.FAIL, "db1 stands behind no door")
    assert verdict(mine, certificate="no") == (Verdict.FAIL, "its certificate does not last for 30 days")


# steps -----------------------------------------------------------------------------------------------------------
def test_the_door_is_made_once_and_without_a_restart() -> None:
    (step,) = steps.door(facts_of(OPEN), WANTED)
    assert (step.stage, step.stage.phase.name, step.disruption) == (Stage.DOOR, "WIDEN", Disruption.NONE)
    assert step.want == {"file": mark(objects(WANTED)), "objects": NAMES}
    assert remaining(step, facts_of(OPEN)[DOOR])
    done = facts_of(OPEN, {"file": mark(objects(WANTED)), "objects": NAMES})
    assert remaining(step, done[DOOR]) == {}
    assert list(steps.door(done, WANTED)) == []


def test_a_new_key_needs_a_restart_and_the_plan_says_so() -> None:
    (step,) = steps.door(facts_of(OPEN, keys="no"), WANTED)
    assert step.disruption is Disruption.RESTART
    assert "systemctl restart maxscale" in step.do[-2].text  # type: ignore[union-attr]
    assert "is-active" in step.undo[1].text, "a start that failed is not left so"  # type: ignore[union-attr]
    (step,) = steps.door(facts_of(OPEN, {"key": "unread"}), WANTED)
    assert step.disruption is Disruption.RESTART


def test_another_member_needs_a_restart_and_the_plan_says_so() -> None:
    more = replace(WANTED, members=(*WANTED.members, Member("db2", "10.0.0.12")))
    (step,) = steps.door(facts_of(OPEN, {"file": mark(objects(WANTED)), "objects": NAMES}), more)
    assert (step.disruption, step.do[-2]) == (Disruption.RESTART, scripts.RESTART)


def test_a_door_counts_once_members_are_seen_behind_it() -> None:
    (step,) = steps.door(facts_of(OPEN), WANTED)
    assert "want=galvan-db1 " in step.do[-1].text  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("given", "why"),
    [({"file": "0" * 16, "kept": "no"}, "not as Galvan wrote it"), ({"objects": f"galvan-db9 {NAMES}"}, "galvan-db9")],
)
def test_what_could_not_be_put_back_is_left_alone(given: dict[str, str], why: str) -> None:
    with pytest.raises(Blind, match=why):
        list(steps.door(facts_of(OPEN, given), WANTED))


ACCOUNTS = accounts.wanted("10.0.3.5", (10, 11, 19))
MONITOR, SERVICE = (account.name for account in ACCOUNTS)


def test_the_accounts_are_made_once_for_the_cluster() -> None:
    (step,) = steps.members_accounts(facts_of(OPEN), HostFacts(MEMBER, {REQUIREMENTS.id: {}}), ACCOUNTS, "SSL")
    assert (step.host, step.stage, step.scope) == ("db1", Stage.HEALTH, Scope.CLUSTER)
    assert (step.before, step.want) == ({MONITOR: None, SERVICE: None}, {MONITOR: "ANY", SERVICE: "ANY"})
    done = HostFacts(MEMBER, {REQUIREMENTS.id: dict(step.want)})
    assert list(steps.members_accounts(facts_of(OPEN), done, ACCOUNTS, "SSL")) == []


@pytest.mark.parametrize(
    ("seen", "passwords"),
    [({"m": "ANY", "s": "NONE"}, "made"), ({"m": "ANY"}, "made"), ({"m": "ANY", "s": "ANY"}, "none")],
)
def test_accounts_that_are_not_as_galvan_leaves_them_are_a_persons_to_judge(
    seen: dict[str, str], passwords: str
) -> None:
    there = {{"m": MONITOR, "s": SERVICE}[key]: said for key, said in seen.items()}
    with pytest.raises(Blind, match=r"galvan resume \(or rollback\)"):
        list(
            steps.members_accounts(
                facts_of(OPEN, {"passwords": passwords}), HostFacts(MEMBER, {REQUIREMENTS.id: there}), ACCOUNTS, "SSL"
            )
        )


def test_a_certificate_is_made_where_none_is_good_and_read_again_where_one_was_used() -> None:
    assert list(steps.certificate(facts_of(OPEN), ["lb1"], [], 90)) == []
    (fresh,) = steps.certificate(facts_of(OPEN, {"certificate": "no"}), ["lb1"], ["10.0.3.5"], 90)
    put = [action for action in fresh.do if isinstance(action, PutFile)]
    assert [action.path for action in put] == ["/etc/galvan/maxscale/ca.pem", "/etc/galvan/maxscale/cert.pem"]
    assert [action.path for action in fresh.undo if isinstance(action, RestoreFile)] == [put[1].path, put[0].path]
    assert scripts.RELOAD_TLS not in (*fresh.do, *fresh.undo)
    (again,) = steps.certificate(facts_of(OPEN, {"certificate": "no", "file": "0" * 16}), ["lb1"], [], 90)
    assert (again.do[-1], again.undo[-1]) == (scripts.RELOAD_TLS, scripts.RELOAD_TLS)


def test_an_old_door_that_would_be_forgotten_is_refused() -> None:
    with pytest.raises(Blind, match="forgets at its next start"):
        list(
            steps.old_doors(
                facts_of(OPEN.replace("admin_host", "persist_runtime_changes=false\nadmin_host")), TLS, "TLSv1.2", "x"
            )
        )


def test_tls_to_the_members_comes_later_by_the_same_step() -> None:
    plain = replace(WANTED, members_tls=False)
    stands = facts_of(OPEN, {"file": mark(objects(plain)), "objects": NAMES})
    (step,) = steps.door(stands, WANTED, Stage.HAND_OUT)
    assert step.id == "load_balancer.maxscale-door-hand-out@lb1"
    assert mark(objects(plain)) in step.undo[0].text  # type: ignore[union-attr]
    assert step.before == {"file": mark(objects(plain)), "objects": NAMES}


def test_no_login_no_plan() -> None:
    for given in ({"galvan_enters": "no"}, {"galvan_enters": "unknown"}):
        with pytest.raises(Blind, match=r"maxctrl\.cnf"):
            list(steps.door(facts_of(OPEN, given), WANTED))
    (step,) = steps.login(facts_of(OPEN, {"own_login": "none"}))
    assert step.want == {"own_login": "there", "galvan_enters": "yes"}
    assert list(steps.login(facts_of(OPEN))) == []


@pytest.mark.parametrize(
    "ground", ["[galvan-db1]\ntype=server", "[Galvan-Monitor]\ntype=monitor", "[other]\ntype=listener\nport=3307"]
)
def test_taken_names_and_ports_are_refused(ground: str) -> None:
    with pytest.raises(Blind):
        list(steps.door(facts_of(ground), WANTED))


def test_the_default_login_is_closed_only_where_it_is_open() -> None:
    (step,) = steps.default_login(facts_of(OPEN, {"default_login": "yes"}))
    assert (step.stage, step.before, step.want) == (Stage.OLD_DOOR, {"default_login": "yes"}, {"default_login": "no"})
    assert list(steps.default_login(facts_of(OPEN))) == []
    with pytest.raises(Blind):
        list(steps.default_login(facts_of(OPEN, {"default_login": "unknown"})))


def test_old_doors_refuse_clear_text_at_their_own_port() -> None:
    (step,) = steps.old_doors(facts_of(OPEN), TLS, "TLSv1.2", "ECDHE+AESGCM")
    assert (step.read, step.before, step.want) == (LISTENERS, {"l": "false"}, {"l": "true"})
    assert "mx alter listener l ssl=true ssl_ca=/c/ca.pem" in step.do[0].text  # type: ignore[union-attr]
    assert 'mx alter listener l ssl=false\nrm -f "$p"/l.cnf' in step.undo[0].text  # type: ignore[union-attr]
    mine = facts_of(f"{OPEN}runtime\n[l]\ntype=listener\nservice=svc\nport=3306\n")
    (step,) = steps.old_doors(mine, TLS, "TLSv1.2", "x")
    assert "rm -f" not in step.undo[0].text, "what was changed at run time before stays"  # type: ignore[union-attr]
    assert list(steps.old_doors(facts_of(SHUT), TLS, "TLSv1.2", "x")) == []
    local = OPEN.replace("port=3306", "port=3306\naddress=127.0.0.1")
    assert list(steps.old_doors(facts_of(local), TLS, "TLSv1.2", "x")) == []


def test_the_administration_needs_a_restart() -> None:
    (step,) = steps.administration(facts_of(OPEN), TLS, "TLSv1.2")
    assert step.disruption is Disruption.RESTART
    assert list(steps.administration(facts_of(OPEN, {"marked": str(step.want["marked"])}), TLS, "TLSv1.2")) == []
    other = "0123456789abcdef"
    (again,) = steps.administration(facts_of(OPEN, {"marked": other}), TLS, "TLSv1.2")
    assert other in again.undo[0].text  # type: ignore[union-attr]
