"""Denials of real audit logs: read, joined to events, merged, and answered; and what is said where a log cannot be trusted."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from practice_cases import HERE

from galvan.app.living import Rehearsal
from galvan.edges import denials as files
from galvan.model import BadInput, Cluster, Snapshot, Unreadable
from galvan.model.denials import Answer, Book, Denial, Rule
from galvan.tips.selinux import apparmor, audit, dangers, module
from galvan.tips.selinux.facts import labelled, labels_of
from galvan.tips.selinux.impact import answered
from galvan.tips.selinux.review import Caught, Ground, merge, rules, says

SEED = (
    'type=AVC msg=audit(1516835039.802:37680): avc:  denied  { open } for  pid=71222 comm="mysqld" path="/var/log/mysql/mysql-slow.log" '
    'dev="dm-0" ino=35479360 scontext=system_u:system_r:mysqld_t:s0 tcontext=unconfined_u:object_r:var_log_t:s0 tclass=file'
)
GUEST = HERE / "outputs" / "selinux-watched" / "db1"
HEAD = "since 0\nlost 0\nfree 3000000\nsource ausearch\n"
TYPES = frozenset({"mysqld_db_t", "mysqld_etc_t", "mysqld_log_t", "mysqld_runtime_t", "mysqld_exec_t"})
GROUND = Ground(
    {"datadir": "/var/lib/mysql/", "slow_query_log_file": "/var/log/mysql/mysql-slow.log"},
    {"/var/log/mysql": "var_log_t"},
    TYPES,
)


def avc(asked: str, target: str, kind: str, rest: str = "", source: str = "mysqld_t", comm: str = "mariadbd") -> str:
    role = "system_r" if kind in ("process", "unix_stream_socket", "capability") else "object_r"
    return (
        f'type=AVC msg=audit(1795818228.999:242): avc:  denied  {{ {asked} }} for  pid=1 comm="{comm}" {rest} '
        f"scontext=system_u:system_r:{source}:s0 tcontext=system_u:{role}:{target}:s0 tclass={kind} permissive=1"
    )


def read(*rows: str) -> tuple[Denial, ...]:
    return audit.log(HEAD + "\n".join(rows) + "\n\nend").denials


def ruled(*rows: str, event: str = "ist", ground: Ground = GROUND) -> Rule:
    (rule,) = rules([Caught("db1", event, denial) for denial in read(*rows)], {"db1": ground}).values()
    return rule


# the seed's own line ------------------------------------------------------------------------------------------------------
def test_the_seeds_line_is_read() -> None:
    (seen,) = read(SEED)
    assert (seen.process, seen.source, seen.target, seen.kind) == ("mysqld", "mysqld_t", "var_log_t", "file")
    assert (seen.permissions, seen.object, seen.refused) == (frozenset({"open"}), "/var/log/mysql/mysql-slow.log", True)


def test_the_seeds_line_is_answered_by_a_label_and_not_by_a_rule() -> None:
    rule = ruled(SEED, event="slow-log")
    assert rule.answer is Answer.LABEL
    assert rule.by == "/var/log/mysql(/.*)?: mysqld_log_t"
    assert rule.says == "mysqld opens /var/log/mysql/mysql-slow.log"
    assert "var_log_t" not in module.cil(Book({rule.name: rule}, {}), 1)


def test_a_log_where_no_policy_expects_one_gets_the_label_too() -> None:
    ground = replace(GROUND, paths={**GROUND.paths, "slow_query_log_file": "/data/logs/slow.log"})
    assert (
        ruled(SEED.replace("/var/log/mysql/mysql-slow", "/data/logs/slow"), ground=ground).by
        == "/data/logs(/.*)?: mysqld_log_t"
    )


# a log that cannot be trusted -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("output", "why"),
    [
        (HEAD + SEED[:150] + "\n\nend", "a denial that cannot be read"),
        (HEAD + SEED.replace("mysqld_t:s0 t", "my\x00\x7fq t") + "\n\nend", "a denial that cannot be read"),
        (HEAD.replace("3000000", "0") + "\nend", "0 kB of room"),
        (HEAD.replace("free 3000000\n", "") + "\nend", "0 kB of room"),
        (HEAD + "suspended yes\nwrites yes\nend", "auditd has suspended its log"),
        (HEAD + "suspended no\nwrites no\nend", "auditd keeps no log"),
        (HEAD.replace("3000000", "40000") + "least 51200\nend", "40000 kB of room"),
        (HEAD + SEED, "not read to its end"),
        (HEAD + "wrong Error opening /var/log/audit/audit.log (Permission denied)\nend", "Permission denied"),
        ("", "not read to its end"),
    ],
    ids=[
        "cut",
        "garbage",
        "full",
        "unknown-room",
        "suspended",
        "no-log",
        "older-auditd",
        "cut-off",
        "refused",
        "empty",
    ],
)
def test_a_log_that_cannot_be_trusted_is_not_taken_for_a_quiet_one(output: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        audit.log(output)


def test_an_auditd_that_says_it_still_writes_is_believed() -> None:
    """Its own mark for little room may be set higher than what is left, with another action than to suspend."""
    said = HEAD.replace("3000000", "40000") + "suspended no\nwrites yes\nleast 51200\n"
    assert len(audit.log(f"{said}{SEED}\n\nend").denials) == 1


def test_a_host_without_a_security_module_has_no_log() -> None:
    assert audit.log("source none") == audit.Log("none", 0.0, 0, ())


def test_older_records_are_left_out_and_each_is_counted_once() -> None:
    assert audit.log(HEAD.replace("since 0", "since 1600000000") + f"{SEED}\n\nend").denials == ()
    assert len(read(SEED, SEED)) == 1


def test_the_path_comes_from_the_record_beside() -> None:
    row = avc("write", "etc_t", "file", 'name="x.cnf" dev="vda" ino=1')
    path = 'type=PATH msg=audit(1795818228.999:242): item=0 name="/etc/mysql/x.cnf" inode=1 nametype=NORMAL'
    assert read(row, path)[0].object == "/etc/mysql/x.cnf"


def test_apparmors_records_are_read() -> None:
    (seen,) = read(
        'type=AVC msg=audit(1795818228.9:7): apparmor="ALLOWED" operation="open" class="file" profile="/usr/sbin/mariadbd" '
        'name="/etc/hosts" pid=9 comm="mariadbd" requested_mask="r" denied_mask="r" fsuid=100 ouid=0'
    )
    assert (seen.source, seen.object, seen.permissions, seen.refused) == (
        "/usr/sbin/mariadbd",
        "/etc/hosts",
        frozenset({"r"}),
        False,
    )


UNDER = 'type=AVC msg=audit(1795892604.5:{}): apparmor="ALLOWED" operation="{}" {} pid=2293 comm="{}" requested_mask="{}" denied_mask="{}"'


def test_what_a_complaining_profile_runs_is_the_profiles_own() -> None:
    """As a server under it wrote them (Debian 12), each said once, whatever the process."""
    scripts = 'profile="galvan_mariadbd//null-/usr/bin/dash//null-/usr/bin/wsrep_sst_mariabackup" name="/dev/tty"'
    capable = (
        'type=AVC msg=audit(1795892589.979:3645): apparmor="ALLOWED" operation="capable" info="optional: no audit" error=-1 '
        'profile="galvan_mariadbd" pid=1610 comm="mariadbd" capability=14  capname="ipc_lock"'
    )
    ran, locked = read(UNDER.format(1, "open", scripts, "bash", "wr", "wr"), capable)
    assert (ran.source, ran.object, ran.kind) == ("galvan_mariadbd", "/dev/tty", "file")
    assert (locked.kind, locked.permissions) == ("capability", frozenset({"ipc_lock"}))
    found = {
        rule.name: rule
        for rule in rules([Caught("db1", "sst", apparmor.known(one)) for one in (ran, locked)], {}).values()
    }
    book = Book(found, {})
    lines = apparmor.granted(book)
    assert lines == ("/dev/tty rw,", "capability ipc_lock,")
    assert all(apparmor.covers("\n".join(["1", *lines]), apparmor.known(one)) for one in (ran, locked))
    assert not apparmor.covers("1\n/dev/tty r,", apparmor.known(ran))


@pytest.mark.parametrize(
    ("operation", "peer", "mask", "line", "held"),
    [
        ("ptrace", "unconfined", "read", "ptrace (read) peer=unconfined,", False),
        ("ptrace", "unconfined", "trace", "ptrace (trace) peer=unconfined,", True),
        ("signal", "unconfined", "send", "signal (send) peer=unconfined,", True),
        ("signal", "galvan_mariadbd//null-/usr/bin/dash", "send", "signal (send) peer=galvan_mariadbd,", False),
    ],
)
def test_what_one_program_does_to_another(operation: str, peer: str, mask: str, line: str, held: bool) -> None:
    (seen,) = read(UNDER.format(1, operation, 'profile="galvan_mariadbd"', "ps", mask, mask) + f' peer="{peer}"')
    (rule,) = rules([Caught("db1", "sst", apparmor.known(seen))], {}).values()
    assert (rule.answer is Answer.HOLD) is held
    taken = Book({rule.name: replace(rule, answer=Answer.ALLOW)}, {})
    assert apparmor.granted(taken) == (line,)
    assert apparmor.covers(f"1\n{line}", apparmor.known(seen))


# rules ------------------------------------------------------------------------------------------------------------------------
def test_ports_of_the_cluster_get_a_label() -> None:
    rule = ruled(avc("name_bind", "kerberos_master_port_t", "tcp_socket", "src=4444", comm="socat"))
    assert (rule.answer, rule.by, rule.says) == (
        Answer.LABEL,
        "port tcp 4444: mysqld_port_t",
        "socat listens on tcp port 4444",
    )


def test_red_hats_name_of_the_same_port_is_read_and_not_assumed() -> None:
    """Of the published sources of Fedora's policy; the tram port is what it calls 4567."""
    assert ruled(avc("name_bind", "kerberos_port_t", "tcp_socket", "src=4444")).answer is Answer.LABEL
    assert ruled(avc("name_connect", "tram_port_t", "tcp_socket", "dest=4567")).answer is Answer.LABEL


def test_a_boolean_answers_where_the_policy_has_it() -> None:
    row = avc("name_connect", "http_port_t", "tcp_socket", "dest=80")
    assert ruled(row, ground=replace(GROUND, booleans=frozenset({"mysql_connect_http"}))).by == "mysql_connect_http"
    assert ruled(row).answer is Answer.ALLOW


def test_what_ps_looks_at_is_one_rule_whichever_programs_run() -> None:
    rows = [
        avc("read", kind, "file", 'name="stat"', comm="ps").replace("object_r", "system_r")
        for kind in ("sshd_t", "init_t")
    ]
    rule = ruled(*rows)
    assert (rule.name, rule.answer) == ("mysqld_t/domain/file", Answer.ALLOW)
    assert rule.says == "ps looks at which programs run (read)"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (avc("execmem", "mysqld_t", "process"), "lets injected code run"),
        (avc("write", "etc_t", "file", 'name="x"'), "the system's own files"),
        (avc("read", "shadow_t", "file", 'name="shadow"'), "passwords, keys"),
        (avc("write", "shadow_t", "file", 'name="shadow"'), "passwords, keys"),
        (avc("connectto", "unconfined_t", "unix_stream_socket"), "bound by no policy"),
        (avc("write", "mysqld_exec_t", "file", 'name="mariadbd"'), "chooses what others run"),
        (avc("name_connect", "unreserved_port_t", "tcp_socket", "dest=9999"), "every port that has no name"),
        (avc("name_bind", "port_t", "tcp_socket", "src=999"), "every port that has no name"),
        (avc("sys_admin", "mysqld_t", "capability", "capability=21"), "as good as root"),
        (avc("transition", "init_t", "process"), "another process"),
        (avc("read", "mysqld_db_t", "file", source="initrc_t"), "no domain of the server's"),
    ],
    ids=lambda said: said if " for " not in said else "",
)
def test_a_dangerous_rule_is_held_back(row: str, why: str) -> None:
    rule = ruled(row)
    assert rule.answer is Answer.HOLD
    assert why in "; ".join(rule.attention)
    assert "(allow" not in module.cil(Book({rule.name: rule}, {}), 1)


def test_an_accepted_rule_that_asks_for_more_and_worse_is_held_again() -> None:
    old = ruled(avc("getattr", "etc_t", "file", 'name="x"'))
    book = Book({old.name: old}, {})
    more = {old.name: ruled(avc("write", "etc_t", "file", 'name="x"'))}
    assert old.answer is Answer.ALLOW
    assert merge(book, more, {}).rules[old.name].answer is Answer.HOLD


def test_a_decision_stays() -> None:
    old = replace(ruled(avc("getattr", "etc_t", "file", 'name="x"')), answer=Answer.LEAVE)
    merged = merge(
        Book({old.name: old}, {"ist@db1": 1}), {old.name: replace(old, answer=Answer.ALLOW)}, {"sst-rsync@db1": 0}
    )
    assert merged.rules[old.name].answer is Answer.LEAVE
    assert merged.rules[old.name].seen == 2
    assert merged.events == {"ist@db1": 1, "sst-rsync@db1": 0}


def test_one_rule_names_all_that_asked_for_it() -> None:
    denials = read(
        avc("read", "etc_t", "file", 'path="/etc/a"'), avc("open", "etc_t", "file", 'path="/etc/b"', comm="rsync")
    )
    caught = [Caught("db1", "ist", denials[0]), Caught("db2", "sst-rsync", denials[1])]
    (rule,) = rules(caught, {}).values()
    assert (rule.hosts, rule.events, rule.processes) == ({"db1", "db2"}, {"ist", "sst-rsync"}, {"mariadbd", "rsync"})
    assert rule.says == "mariadbd, rsync opens and reads /etc/a, /etc/b"


def test_every_danger_says_why() -> None:
    rule = Rule("mysqld_t/shadow_t/file", frozenset({"read", "write"}), Answer.ALLOW, "")
    assert dangers.of(rule)
    assert says(rule)


# the module -------------------------------------------------------------------------------------------------------------------
def book_of_guest() -> Book:
    labels = labels_of(labelled((GUEST / "selinux.labels.txt").read_text()))
    caught = [
        Caught("db1", "life", d)
        for d in audit.log((GUEST / "selinux.denials.txt").read_text()).denials
        if audit.concerns(d)
    ]
    return Book(
        rules(caught, {"db1": Ground({"datadir": "/var/lib/mysql/"}, labels.at, labels.types)}),
        {"life@db1": len(caught)},
    )


def test_what_a_real_guest_noted_becomes_a_module() -> None:
    text = module.cil(book_of_guest(), 3)
    assert module.version_of(text) == "3"
    assert "(optional galvan_galera_1 (allow mysqld_t domain (dir (getattr search))))" in text
    assert "port_t" not in text
    assert all(rule.answer is not Answer.HOLD for rule in book_of_guest().rules.values())


def test_the_module_covers_what_it_was_learnt_from() -> None:
    text = module.cil(book_of_guest(), 1)
    left = [
        d
        for d in audit.log((GUEST / "selinux.denials.txt").read_text()).denials
        if audit.concerns(d) and not module.covers(text, d)
    ]
    assert {d.object for d in left} <= {"4444", "4567", "4568"}


def test_what_a_permissive_neighbour_notes_is_no_news_where_the_module_lets_it_through() -> None:
    """It gives its data to the host that is tried, and is not held to the module yet; what is refused is news wherever."""
    cluster = Cluster("shop", (), learnt=module.cil(book_of_guest(), 1))
    made = Rehearsal(Snapshot(cluster, (), {}, 0.0), (), (), strict=True)
    seen = audit.log((GUEST / "selinux.denials.txt").read_text()).denials
    noted = [denial for denial in seen if answered(cluster, denial)]
    assert noted
    assert not any(made.is_news(replace(denial, refused=False)) for denial in noted)
    assert all(made.is_news(replace(denial, refused=True)) for denial in noted)
    (foreign,) = read(avc("read", "shadow_t", "file"))
    assert made.is_news(foreign)
    assert not replace(made, left=frozenset({foreign.rule})).is_news(foreign)
    assert not answered(replace(cluster, learnt=""), noted[0])


def test_a_name_that_is_none_of_a_policys_does_not_get_into_the_module() -> None:
    rule = Rule("mysqld_t/etc_t) (allow x/file", frozenset({"read"}), Answer.ALLOW, "")
    with pytest.raises(BadInput, match="no name of a policy's"):
        module.cil(Book({rule.name: rule}, {}), 1)


@pytest.mark.skipif(not shutil.which("checkmodule"), reason="checkmodule is not installed here")
def test_the_text_for_people_compiles(tmp_path: Path) -> None:
    (tmp_path / "galvan_galera.te").write_text(module.te(book_of_guest(), 2))
    done = subprocess.run(
        ["checkmodule", "-M", "-m", "-o", "galvan_galera.mod", "galvan_galera.te"], cwd=tmp_path, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


# the book's file ----------------------------------------------------------------------------------------------------------------
def test_the_book_comes_back_as_it_was_written(tmp_path: Path) -> None:
    book, path = replace(book_of_guest(), version=2, digest="ab"), tmp_path / files.NAME
    files.write([(path, files.render(book))])
    assert files.read(path) == book


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("rules:\n- rule: mysqld_t/etc_t/file\n  permissions: [read]\n  answer: yes\n", "is not one of allow, label"),
        ("rules:\n- rule: 'mysqld_t/etc t/file'\n  permissions: [read]\n  answer: allow\n", "cannot stand here"),
        ("rules:\n- rule: mysqld_t/etc_t/file\n  permissions: []\n  answer: allow\n", "without a permission"),
        ("rules:\n- rule: mysqld_t/etc_t/file\n  permissions: [read]\n", "a rule needs answer"),
        ("rule:\n", "unknown field"),
        ("rules: [\n", "line 2"),
    ],
)
def test_a_book_that_cannot_be_used_says_where(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / files.NAME
    path.write_text(text)
    with pytest.raises(BadInput, match=why):
        files.read(path)
