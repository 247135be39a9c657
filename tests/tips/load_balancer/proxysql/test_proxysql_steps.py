"""Each step reaches what it wants, says nothing of a secret, and its undo brings back what stood there."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from proxysql_grammar import check
from proxysql_schema import Tables

from galvan.cluster.facts import ACCOUNTS, REQUIREMENTS, Account
from galvan.cluster.proxysql import OWN, SERVERS, WAY_IN, admin, set_state
from galvan.model import Balancing, Blind, Host, HostFacts, PutFile, Role, Sealed, Shell, Stage, State, Step, remaining
from galvan.tips.load_balancer.proxysql import front, sql, steps, users
from galvan.tips.load_balancer.proxysql.facts import PASSWORD, PROXYSQL, STATEMENTS, VARIABLES, proxysql
from galvan.tips.load_balancer.proxysql.sql import Groups, Member

LB = Host("lb1", "10.0.0.10", Role.LOAD_BALANCER, "lb1", "proxysql")
DB = Host("db1", "10.0.0.1", Role.DATABASE, "db1")
MEMBERS = tuple(Member(f"10.0.0.{n}") for n in (1, 2, 3))
HASH = "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"
APP = Account("app", "10.0.%", "NONE", False, "mysql_native_password", False)
GROUPS = Groups(10, 20, 30, 40)
FRESH: State = {}


def fresh(version: str = "2.7.1-19-g5cc418b") -> Tables:
    """As a package leaves it."""
    made = Tables(sql.has_own_table(version))
    values = dict.fromkeys(VARIABLES, "") | {
        "admin-version": version, "admin-admin_credentials": "admin:admin", "admin-stats_credentials": "stats:stats",
        "mysql-monitor_username": "monitor", "mysql-monitor_password": "monitor", "admin-cluster_username": "",
        "admin-cluster_password": "", "admin-mysql_ifaces": "0.0.0.0:6032", "mysql-have_ssl": "false",
    }  # fmt: skip
    made.base.executemany("INSERT INTO global_variables VALUES (?, ?)", values.items())
    made.saved()
    return made


def seen(tables: Tables, way: str = "default") -> State:
    return proxysql(f"login\t{way}\t127.0.0.1:6032\nfront\tno\t0123456789ab\nkept\tno\n" + tables.ask(STATEMENTS))


def facts(state: State) -> HostFacts:
    return HostFacts(LB, {PROXYSQL.id: state})


def said(script: str) -> list[str]:
    """What a script says to the admin interface in documents of its own; what it computes from secrets is not in it."""
    found = re.findall(r"^admin <<'@admin'\n(.*?)^@admin$", script, re.M | re.S)
    return [line.removesuffix(";") for text in found for line in text.splitlines()]


def kept(script: str, tables: Tables) -> list[str]:
    questions = re.search(r"^admin >>\S+ <<'@admin'\n(.*?)^@admin$", script, re.M | re.S)
    last = re.search(r"<<'@last'\n(.*?)^@last$", script, re.M | re.S)
    assert questions
    assert last
    asked = [line.removesuffix(";") for line in questions.group(1).splitlines()]
    return [line.removesuffix(";") for line in tables.ask(asked).splitlines() + last.group(1).splitlines()]


def script_of(step: Step) -> str:
    return next(action.text for action in step.do if isinstance(action, Shell) and "lets in neither" in action.text)


def carry_out(step: Step, tables: Tables, extra: Sequence[str] = (), way: str = "default") -> State:
    """The step on the tables; its undo is tried first, and brings everything back."""
    before = [
        tables.rows(table) for table in ("mysql_servers", "mysql_users", "mysql_galera_hostgroups", "global_variables")
    ]
    script = script_of(step)
    put_back, statements = kept(script, tables), [*said(script), *extra]
    for statement in (*put_back, *statements):
        check(statement)
    for _ in range(2):
        tables.run(statements)
        tables.run(put_back)
        assert [
            tables.rows(t) for t in ("mysql_servers", "mysql_users", "mysql_galera_hostgroups", "global_variables")
        ] == before
        tables.run(statements)
    tables.saved()
    state = seen(tables, way)
    assert remaining(step, state) == {}
    return state


def by_name(found: Sequence[Step]) -> Mapping[str, Step]:
    return {re.sub(r"^load_balancer\.proxysql-|@.*$", "", step.id): step for step in found}


OWN_ACCOUNT = [
    "UPDATE global_variables SET variable_value = variable_value || ';galvan-admin:ab' WHERE variable_name = 'admin-admin_credentials'",
    "UPDATE global_variables SET variable_value = variable_value || ';galvan-stats:ab' WHERE variable_name = 'admin-stats_credentials'",
]
ONCE = [
    text + f" AND instr(variable_value, '{name}') = 0"
    for text, name in zip(OWN_ACCOUNT, ("galvan-admin", "galvan-stats"), strict=True)
]


@pytest.mark.parametrize("version", ["2.5.5-10-g195bd70", "2.6.6-1-gabc", "3.0.1"])
def test_the_whole_way_up(version: str) -> None:
    tables = fresh(version)
    found = by_name(list(steps.widen(facts(seen(tables)), Balancing(), MEMBERS, 40, False)))
    assert list(found) == ["own-account", "members", "ways"]
    assert {step.stage for step in found.values()} == {Stage.DOOR}
    carry_out(found["own-account"], tables, ONCE, "own")
    carry_out(found["members"], tables, way="own")
    state = carry_out(found["ways"], tables, way="own")
    assert list(steps.widen(facts(state), Balancing(), MEMBERS, 40, False)) == []
    (to_members,) = steps.encrypt(facts(state), MEMBERS, 40, "-----BEGIN CERTIFICATE-----\n")
    assert to_members.stage is Stage.HAND_OUT
    state = carry_out(to_members, tables, way="own")
    assert list(steps.encrypt(facts(state), MEMBERS, 40, "")) == []
    assert list(steps.widen(facts(state), Balancing(), MEMBERS, 40, False)) == [], "TLS is not taken back"
    tables.base.execute("INSERT INTO mysql_users (username, password) VALUES ('app', ?), ('free', ?)", (HASH, HASH))
    tables.saved()
    last = by_name(list(steps.narrow(facts(seen(tables, "own")), ["app"])))
    assert list(last) == ["users-tls", "defaults", "loopback"]
    assert {step.stage for step in last.values()} == {Stage.OLD_DOOR}
    for step in last.values():
        state = carry_out(step, tables, way="own")
    assert str(state["user.free"]).startswith("1 0 ")
    assert list(steps.narrow(facts(state), ["app"])) == []


def test_users_come_with_hashes_that_no_plan_holds() -> None:
    tables = fresh()
    tables.base.execute("INSERT INTO mysql_users (username, password, default_hostgroup) VALUES ('old', 'clear', 7)")
    tables.saved()
    old = Account("old", "%", "NONE", False, "mysql_native_password", False)
    member = HostFacts(DB, {ACCOUNTS.id: (APP, old)})
    (step,) = steps.carry_users(facts(seen(tables)), member, [APP, old], GROUPS)
    put = next(action for action in step.do if isinstance(action, PutFile))
    assert isinstance(put.content, Sealed)
    assert (put.content.source, put.content.recipient, put.mode) == ("db1", "/etc/galvan/sealed/cert.pem", 0o600)
    opened = "".join(f"{name.encode().hex().upper()}\t{HASH.encode().hex().upper()}\n" for name in ("app", "old"))
    made = subprocess.run(
        ["sh", "-c", users.statements(10)], input=opened, capture_output=True, text=True, check=True
    ).stdout
    extra = [line.removesuffix(";") for line in made.splitlines()]
    state = carry_out(step, tables, extra)
    assert state["user.old"] == "1 0 1 1 7 10000 0 hashed"
    assert HASH in dict(tables.base.execute("SELECT username, password FROM mysql_users")).values()
    assert list(steps.carry_users(facts(state), member, [APP, old], GROUPS)) == []


@pytest.mark.parametrize(
    "opened", ["617070\t2A'; DROP\n", "app\t2A31\n", "617070\n", "\n", "617070\t2A31\t00\n", "61707\t2A31\n"]
)
def test_what_is_not_two_words_of_bytes_becomes_no_statement(opened: str) -> None:
    done = subprocess.run(["sh", "-c", users.statements(10)], input=opened, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")


def test_the_monitors_hash_is_what_the_server_makes_of_the_password(tmp_path: Path) -> None:
    put = users.put_monitor("lb1")
    assert isinstance(put.content, Sealed)
    file = tmp_path / "password"

    def ran(script: str) -> subprocess.CompletedProcess[str]:
        said = script.replace(PASSWORD, str(file))
        return subprocess.run(["sh", "-eu"], input=said, capture_output=True, text=True, check=False)

    assert "there is no password" in ran(put.content.script.text).stderr
    file.write_text("password\n")
    assert "*" + ran(put.content.script.text).stdout.strip() == HASH
    file.unlink()
    assert ran(users.make_password().text).returncode == 0
    made = file.read_text()
    assert ran(users.make_password().text).returncode == 0
    assert (file.read_text(), file.stat().st_mode & 0o777) == (made, 0o600)
    assert re.fullmatch(r"[0-9a-f]{48}\n", made)
    assert ran(users.forget_password().text).returncode == 0
    assert not file.exists()


def test_a_monitor_of_its_own() -> None:
    tables = fresh()
    member = HostFacts(DB, {REQUIREMENTS.id: {}})
    password, account, own = steps.monitor(facts(seen(tables)), member)
    assert (password.host, password.stage) == ("lb1", Stage.ASKER), "it outlives what is put back of the door"
    assert (account.host, account.stage, own.stage) == ("db1", Stage.HEALTH, Stage.DOOR)
    assert remaining(account, {"'galvan_monitor'@'10.0.0.10'": "NONE"}) == {}
    extra = [
        *sql.variables({"mysql-monitor_username": "galvan_monitor", "mysql-monitor_password": "ab"}),
        *sql.MYSQL_VARIABLES,
    ]
    carry_out(own, tables, extra)


def test_nothing_is_said_over_what_somebody_has_not_finished() -> None:
    tables = fresh()
    tables.run(["UPDATE global_variables SET variable_value = '9' WHERE variable_name = 'mysql-max_connections'"])
    with pytest.raises(Blind, match="variables that somebody changed and is not saved to disk"):
        list(steps.widen(facts(seen(tables)), Balancing(), MEMBERS, 40, False))


def test_peers_keep_their_port_and_are_not_locked_out() -> None:
    tables = fresh()
    tables.base.execute("INSERT INTO proxysql_servers (hostname) VALUES ('lb2')")
    tables.run(ONCE)
    tables.saved()
    assert list(by_name(list(steps.narrow(facts(seen(tables, "own")), [])))) == ["defaults"]
    tables.run(
        [
            "UPDATE global_variables SET variable_value = 'admin' WHERE variable_name IN ('admin-cluster_username', 'admin-cluster_password')"
        ]
    )
    tables.saved()
    with pytest.raises(Blind, match="admin-cluster_username"):
        list(steps.narrow(facts(seen(tables, "own")), []))


def test_without_a_proxysql_there_is_nothing_to_do() -> None:
    with pytest.raises(Blind, match="no ProxySQL"):
        list(steps.narrow(facts(FRESH), []))


def every_script() -> list[str]:
    tables = fresh()
    tables.base.execute("INSERT INTO mysql_users (username, password) VALUES ('app', 'clear')")
    tables.saved()
    state, member = facts(seen(tables)), HostFacts(DB, {REQUIREMENTS.id: {}, ACCOUNTS.id: (APP,)})
    found = [
        *steps.widen(state, Balancing(), MEMBERS, 40, False), *steps.monitor(state, member), *steps.carry_users(state, member, [APP], GROUPS),
        *steps.encrypt(state, MEMBERS, 40, "pem"), *front.certificate(state, ("lb1",), (LB.address,), 90), *steps.narrow(state, ["app"]),
    ]  # fmt: skip
    scripts = [set_state("10", "db1:3306", "drain").text, PROXYSQL.query.text, SERVERS.query.text]
    for action in (action for step in found for action in (*step.do, *step.undo)):
        if isinstance(action, Shell):
            scripts.append(action.text)
        elif isinstance(action, PutFile) and isinstance(action.content, Sealed):
            scripts.append(action.content.script.text)
    return scripts


@pytest.mark.parametrize("number", range(len(every_script())))
def test_every_script_is_one_that_a_posix_shell_reads(number: int) -> None:
    done = subprocess.run(["dash", "-n"], input=every_script()[number], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


CLIENT = """#!/bin/sh
echo "$*" >>{log}.argv
cat "${{1#--defaults-file=}}" >>{log}.options
grep -qF 'password={good}' {log}.options || exit 1
cat >>{log}.said
echo 1
"""


@pytest.mark.parametrize(("own", "configured", "good", "way"), [(True, "", "deadbeef", "own"), (False, "", "admin", "default"), (False, 'admin_credentials="radmin:p\\\\q w;x:y"', '"p\\\\q w"', "config")])  # fmt: skip
def test_what_logs_in_is_in_no_argv(tmp_path: Path, own: bool, configured: str, good: str, way: str) -> None:
    """A client that only writes down how it was called; ProxySQL itself cannot be had here."""
    log, client = tmp_path / "log", tmp_path / "mariadb"
    client.write_text(CLIENT.format(log=log, good=good))
    client.chmod(0o755)
    (tmp_path / "proxysql.cnf").write_text(
        f'datadir="/x"\nadmin_variables=\n{{\n\t{configured}\n\tmysql_ifaces="127.0.0.1:16032;/tmp/a.sock"\n}}\n'
    )
    if own:
        (tmp_path / "admin.cnf").write_text("[client]\nuser=galvan-admin\npassword=deadbeef\n")
    text = (WAY_IN + "echo $way $host $port\n" + admin(("SELECT 'it''s'",)).text.removeprefix(WAY_IN)).replace(
        OWN, str(tmp_path / "admin.cnf")
    )
    text = text.replace("/etc/proxysql.cnf", str(tmp_path / "proxysql.cnf"))
    done = subprocess.run(
        ["dash", "-eu"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{way} 127.0.0.1 16032\n1\n"
    assert (tmp_path / "log.said").read_text().endswith("SELECT 'it''s';\n")
    argv = (tmp_path / "log.argv").read_text()
    assert "deadbeef" not in argv
    assert "radmin" not in argv
    assert "--defaults-file=/dev/fd/3 --protocol=tcp" in argv
    assert "host=127.0.0.1\nport=16032\n" in (tmp_path / "log.options").read_text()


def test_accounts_that_come_along_are_the_ones_the_server_would_take() -> None:
    native, ed25519 = "mysql_native_password", "ed25519"
    accounts = [
        Account("app", "%", "NONE", False, ed25519, False), Account("app", "10.0.0.10", "NONE", False, native, False),
        Account("far", "192.168.%", "NONE", False, native, False), Account("root", "%", "NONE", False, native, False),
        Account("key", "%", "NONE", False, ed25519, False), Account("shut", "%", "NONE", True, native, False),
        Account("sha", "10.0.0.0/255.255.255.0", "NONE", False, "caching_sha2_password", False),
        Account("replica", "%", "NONE", False, native, True),
    ]  # fmt: skip
    assert [a.name for a in users.carried(accounts, "10.0.0.10", True)] == [
        "'app'@'10.0.0.10'",
        "'sha'@'10.0.0.0/255.255.255.0'",
    ]
    assert [a.user for a in users.carried(accounts, "10.0.0.10", False)] == ["app"]


def test_a_certificate_comes_in_whole_and_goes_back_whole(tmp_path: Path) -> None:
    """On files alone: what the admin interface is asked is left out."""
    data, new, kept = tmp_path / "data", tmp_path / "front", tmp_path / "kept"
    data.mkdir()
    new.mkdir()
    for name in ("ca", "cert", "key"):
        (data / f"proxysql-{name}.pem").write_text(f"old {name}")
        (new / f"{name}.pem").write_text(f"new {name}")
    (step,) = front.certificate(facts(seen(fresh())), ("lb1.example",), (LB.address,), 90)
    assert [action.path for action in step.do if isinstance(action, PutFile)] == [
        f"/etc/galvan/proxysql/front/{n}.pem" for n in ("ca", "cert")
    ]

    def on_files(script: str) -> None:

        text = script.replace(WAY_IN, f"said() {{ echo {data}; }}\n").replace(
            "echo 'PROXYSQL RELOAD TLS;' | admin\n", ""
        )
        text = text.replace("/var/lib/galvan/proxysql/front-0123456789ab", str(kept)).replace(
            "/etc/galvan/proxysql/front", str(new)
        )
        subprocess.run(["dash", "-eu"], input=text, capture_output=True, text=True, check=True)

    def shown() -> list[str]:
        return [(data / f"proxysql-{name}.pem").read_text() for name in ("ca", "cert", "key")]

    install, put_back = step.do[-1], step.undo[0]
    assert isinstance(install, Shell)
    assert isinstance(put_back, Shell)
    for _ in range(2):
        on_files(install.text)
        assert shown() == ["new ca", "new cert", "new key"]
        assert (data / "proxysql-key.pem").stat().st_mode & 0o777 == 0o600
    on_files(put_back.text)
    assert shown() == ["old ca", "old cert", "old key"]
    on_files(put_back.text)
    assert len(list(data.iterdir())) == 3
