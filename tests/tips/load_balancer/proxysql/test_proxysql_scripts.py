"""The parts of a script that make statements of a secret, run by a shell; what they would say to ProxySQL or to the server is written down
instead, and judged. Neither is here, and none is played."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from proxysql_grammar import check

from galvan.cluster import sealed
from galvan.cluster.proxysql import OWN, WAY_IN
from galvan.edges.actions import seal
from galvan.model import Sealed, Shell
from galvan.tips.load_balancer.proxysql import steps, users
from galvan.tips.load_balancer.proxysql.facts import PASSWORD
from galvan.tips.load_balancer.proxysql.sql import ADMIN_VARIABLES, MYSQL_VARIABLES, USERS

HASH = "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"


class Place:
    """A host's paths in a folder, `admin` and `server` as files that take down what is said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        text = script.replace(WAY_IN, "").replace("/etc/galvan", str(self.folder))
        text = re.sub(r"^server\(\) \{.*$", f"server() {{ cat >>{self.folder}/server; }}", text, flags=re.M)
        begin = f"host=127.0.0.1; port=6032; way=default\nadmin() {{ cat >>{self.folder}/admin; }}\n"
        return subprocess.run(["dash", "-eu"], input=begin + text, capture_output=True, text=True, check=False)

    def said(self, whom: str = "admin") -> list[str]:
        lines = (self.folder / whom).read_text().splitlines()
        (self.folder / whom).unlink()
        return [line.removesuffix(";") for line in lines if line != "SELECT 1;"]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_an_account_of_its_own_is_made_once_and_only_root_reads_it(place: Place) -> None:
    script = steps._OWN_ACCOUNT
    for slot, value in {
        "own": OWN,
        "stats": steps.STATS_FILE,
        "admin": "galvan-admin",
        "reader": "galvan-stats",
    }.items():
        script = script.replace("{{" + slot + "}}", value)
    script = script.replace("{{last}}", " ".join(f"'{statement}'" for statement in ADMIN_VARIABLES))
    assert place.run(script).returncode == 0
    first = place.said()
    for statement in first:
        check(statement)
    assert tuple(first[2:]) == ADMIN_VARIABLES
    own = place.folder / "proxysql" / "admin.cnf"
    assert own.stat().st_mode & 0o777 == 0o600
    found = re.fullmatch(
        r"\[client\]\nuser=galvan-admin\npassword=([0-9a-f]{48})\nhost=127.0.0.1\nport=6032\n", own.read_text()
    )
    assert found
    assert f"';galvan-admin:{found.group(1)}' WHERE variable_name = 'admin-admin_credentials' AND instr(" in first[0]
    done = place.run(script)
    assert (done.stdout, place.said()) == ("", first)


def test_a_file_without_a_password_is_not_used(place: Place) -> None:
    (place.folder / "monitor.password").write_text("it's no hex")
    done = place.run(users.name_monitor().replace(PASSWORD, f"{place.folder}/monitor.password"))
    assert done.returncode == 1
    assert not (place.folder / "admin").exists()


def test_the_monitor_gets_a_name_and_its_password(place: Place) -> None:
    (place.folder / "proxysql").mkdir()
    (place.folder / "proxysql" / "monitor.password").write_text("ab12\n")
    assert place.run(users.name_monitor()).returncode == 0
    said = place.said()
    for statement in said:
        check(statement)
    assert said == [
        "UPDATE global_variables SET variable_value = 'galvan_monitor' WHERE variable_name = 'mysql-monitor_username'",
        "UPDATE global_variables SET variable_value = 'ab12' WHERE variable_name = 'mysql-monitor_password'",
        *MYSQL_VARIABLES,
    ]


def sealed_for(place: Place, what: str, path: str) -> None:
    """As the edge does it: made here, sealed there, written here."""
    assert place.run(sealed.OWN_KEY.text).returncode == 0
    certificate = (place.folder / "sealed" / "cert.pem").read_text()
    assert (place.folder / "sealed" / "key.pem").stat().st_mode & 0o077 == 0
    message = subprocess.run(
        ["dash"], input=seal(Shell(f"printf '{what}'"), certificate), capture_output=True, text=True, check=True
    )
    target = Path(path.replace("/etc/galvan", str(place.folder)))
    target.parent.mkdir(exist_ok=True)
    target.write_text(message.stdout)


def test_hashes_travel_sealed_and_arrive_as_statements(place: Place) -> None:
    name, word = b"it's".hex().upper(), HASH.encode().hex().upper()
    sealed_for(place, f"{name}\\t{word}\\n", users.HASHES)
    done = place.run(users.take_hashes(10))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    said = place.said()
    for statement in said:
        check(statement)
    assert said == [
        f"INSERT OR IGNORE INTO mysql_users (username, password, default_hostgroup, comment) VALUES (CAST(X'{name}' AS TEXT), CAST(X'{word}' AS TEXT), 10, 'Galvan')",
        f"UPDATE mysql_users SET password = CAST(X'{word}' AS TEXT) WHERE username = CAST(X'{name}' AS TEXT)",
        *USERS,
    ]


@pytest.mark.parametrize("what", ["", "app\\t%s\\n", "617070\\t2A31\\nodd\\n"])
def test_a_message_of_another_form_says_nothing(place: Place, what: str) -> None:
    sealed_for(place, what, users.HASHES)
    assert place.run(users.take_hashes(10)).returncode != 0
    assert not (place.folder / "admin").exists()


def test_a_key_made_once_stays(place: Place) -> None:
    for _ in range(2):
        assert place.run(sealed.OWN_KEY.text).returncode == 0
    first = (place.folder / "sealed" / "cert.pem").read_text()
    assert place.run(sealed.OWN_KEY.text).returncode == 0
    assert (place.folder / "sealed" / "cert.pem").read_text() == first


def test_the_members_statement_holds_the_hash_and_its_plan_does_not(place: Place) -> None:
    sealed_for(place, HASH.removeprefix("*"), users.MONITOR_HASH)
    script = users.make_monitor("10.0.%")
    assert HASH not in script.text
    assert place.run(script.text).returncode == 0
    how = f"/*M! VIA mysql_native_password USING '{HASH}' */ /*!50706 WITH mysql_native_password AS '{HASH}' */"
    assert place.said("server") == [
        "SET SESSION sql_mode=''",
        f"CREATE USER IF NOT EXISTS 'galvan_monitor'@'10.0.%' IDENTIFIED {how}",
        f"ALTER USER 'galvan_monitor'@'10.0.%' IDENTIFIED {how}",
    ]


def test_what_is_no_hash_reaches_no_server(place: Place) -> None:
    sealed_for(place, "x; DROP USER root", users.MONITOR_HASH)
    assert place.run(users.make_monitor("10.0.0.10").text).returncode == 1
    assert not (place.folder / "server").exists()


def test_a_member_is_asked_for_the_accounts_by_name_and_host() -> None:
    from galvan.cluster.facts import Account

    put = users.put_hashes("db1", [Account("it's", "10.0.%", "NONE", False, "mysql_native_password", False)])
    assert isinstance(put.content, Sealed)
    assert "WHERE (User, Host) IN (('it''s', '10.0.%')) " in put.content.script.text
