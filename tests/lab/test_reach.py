"""How Galvan gets to real hosts: over a bastion, through sudo with the documented file, and what it says where it does not.

Every refusal here leaves the hosts as they were. The two clusters come last: that lab is not mended.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from galvan import lab

from .operator import Json, Operator, hashes

pytestmark = pytest.mark.lab
ROOT = Path(__file__).resolve().parent.parent.parent
DATABASES = ("db1", "db2", "db3")
PASSWORD = "Ein Satz; rm -rf / # und 'Zeichen'"
ACCOUNT = """
id galvan-ssh >/dev/null 2>&1 || useradd -m -s /bin/sh galvan-ssh
install -d -m 700 -o galvan-ssh -g galvan-ssh /home/galvan-ssh/.ssh
install -m 600 -o galvan-ssh -g galvan-ssh /root/.ssh/authorized_keys /home/galvan-ssh/.ssh/authorized_keys
usermod -p "$(openssl passwd -6 -stdin <<'@'
{password}
@
)" galvan-ssh
cat >/etc/sudoers.d/galvan-ssh <<'@'
{sudoers}
@
visudo -cqf /etc/sudoers.d/galvan-ssh
"""


def documented() -> str:
    """The file of docs/sudoers.md, to the letter."""
    found = re.search(r"^```sudoers\n(.*?)^```", (ROOT / "docs" / "sudoers.md").read_text(), re.S | re.M)
    assert found
    return found.group(1).rstrip()


def prepare(sudoers: str) -> None:
    for name in DATABASES:
        lab.execute(name, ACCOUNT.format(password=PASSWORD, sudoers=sudoers))


def edited(
    operator: Operator, name: str, edit: Callable[[Json], object], config: Callable[[str], str] = str
) -> Operator:
    """The same operator with another galvan.yaml, and another ssh configuration."""
    home = operator.home / name
    home.mkdir(exist_ok=True)
    document = yaml.safe_load(operator.file.read_text())
    (home / "ssh_config").write_text(config(lab.current().ssh_config.read_text()))
    document["ssh_config"] = [str(home / "ssh_config")]
    edit(document)
    (home / "galvan.yaml").write_text(yaml.safe_dump(document))
    return Operator(home)


def databases(**fields: object) -> Callable[[Json], None]:
    def edit(document: Json) -> None:
        for name in DATABASES:
            document["hosts"][name] |= fields

    return edit


def logins(host: str, since: float) -> int:
    return int(
        lab.execute(
            host, f"journalctl -u ssh -o cat --no-pager --since @{since:.3f} | grep -c '^Accepted publickey' || true"
        )
    )


def told(operator: Operator, code: int, *words: str) -> str:
    """What an audit says of a host that it could not look at."""
    done = operator.run("audit", *words)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def untouched(operator: Operator) -> dict[str, str]:
    return hashes()


@contextmanager
def filtered() -> Iterator[None]:
    """The database hosts take ssh from app1 alone."""
    gateway = lab.current().host("app1").address
    rule = (
        "nft add table inet reach; nft add chain inet reach in '{ type filter hook input priority 0; }'; "
        f"nft add rule inet reach in tcp dport 22 ip saddr != {gateway} drop"
    )
    for name in DATABASES:
        lab.execute(name, rule)
    try:
        yield
    finally:
        for name in DATABASES:
            lab.execute(name, "nft delete table inet reach")


# bastions ---------------------------------------------------------------------------------------------------------
def test_one_connection_to_the_bastion_and_none_past_it(operator: Operator, untouched: dict[str, str]) -> None:
    over = edited(
        operator,
        "jump",
        lambda document: None,
        lambda text: re.sub(r"(?m)^Host db\d$", r"\g<0>\n    ProxyJump dba@app1", text),
    )
    with filtered():
        said = told(operator, 4, "--limit", "db1")
        assert "no answer from" in said
        assert "within 15 s" in said
        time.sleep(1)
        since = time.time()
        seen = over.json("audit", "--limit", "database")
    assert [host["unreachable"] for host in seen["hosts"]] == [None, None, None]
    assert {name: logins(name, since) for name in (*DATABASES, "app1")} == {"db1": 1, "db2": 1, "db3": 1, "app1": 1}


def test_an_ansible_inventory_with_a_bastion(operator: Operator) -> None:
    def edit(document: Json) -> None:
        del document["hosts"]
        document["inventory"] = "hosts.ini"

    (operator.home / "inventory").mkdir()
    (operator.home / "inventory" / "hosts.ini").write_text(
        "[galera]\ndb[1:3]\n[galera:vars]\nansible_ssh_common_args='-o ProxyCommand=\"ssh -W %h:%p -q dba@app1\"'\n"
        "[haproxy]\nlb1\n[app]\napp1\n"
    )
    over = edited(operator, "inventory", edit)
    with filtered():
        time.sleep(1)
        since = time.time()
        seen = over.json("audit", "--limit", "galera,haproxy")
    assert [host["host"] for host in seen["hosts"] if host["unreachable"] is None] == [*DATABASES, "lb1"]
    assert logins("app1", since) == 1


# sudo -------------------------------------------------------------------------------------------------------------
def as_galvan(operator: Operator, password: str | None) -> Operator:
    if password is None:
        return edited(operator, "sudo", databases(user="galvan-ssh"))
    file = operator.home / f"sudo-{abs(hash(password))}"
    file.touch(mode=0o600)
    file.write_text(password + "\n")
    return edited(operator, "sudo", databases(user="galvan-ssh", become={"password_file": str(file)}))


def test_the_documented_sudoers_file_is_enough(operator: Operator) -> None:
    prepare(documented())
    who = as_galvan(operator, None)
    assert who.json("audit")["findings"] == operator.json("audit")["findings"]
    assert who.json("plan")["waves"]
    assert who.run("node", "restart", "db3").returncode == 0


def test_with_a_password_it_is_enough_too_and_the_password_is_nowhere(operator: Operator) -> None:
    prepare(documented().replace("NOPASSWD: ", ""))
    who = as_galvan(operator, PASSWORD)
    assert who.json("audit")["findings"] == operator.json("audit")["findings"]
    assert who.run("node", "drain", "db3").returncode == 0
    assert who.run("node", "undrain", "db3").returncode == 0
    for name in DATABASES:
        assert lab.execute(name, "journalctl --no-pager | grep -cF 'Ein Satz' || true").strip() == "0"


def test_a_password_that_nobody_asks_for_is_not_sent(operator: Operator) -> None:
    prepare(documented())
    assert as_galvan(operator, PASSWORD).json("audit")["findings"] == operator.json("audit")["findings"]


def test_a_wrong_password_is_tried_once_on_one_host(operator: Operator) -> None:
    prepare(documented().replace("NOPASSWD: ", ""))
    time.sleep(1)
    since = time.time()
    said = told(as_galvan(operator, "falsch"), 4, "--limit", "database")
    assert "sudo did not take the password" in said
    assert "falsch" not in said
    counted = f"journalctl -o cat --no-pager --since @{since:.3f} | grep -c 'pam_unix(sudo:auth): authentication failure' || true"
    assert sum(int(lab.execute(name, counted)) for name in DATABASES) == 1


@pytest.mark.parametrize(
    ("sudoers", "words"),
    [
        ("galvan-ssh ALL=(root) /usr/bin/sh", "sudo asks for a password there"),
        ("galvan-ssh ALL=(root) NOPASSWD: /usr/bin/true", "sudo"),
        ("Defaults:galvan-ssh requiretty\ngalvan-ssh ALL=(root) NOPASSWD: /usr/bin/sh", "requiretty"),
    ],
)
def test_sudo_that_refuses_is_told_with_the_way_out(operator: Operator, sudoers: str, words: str) -> None:
    lab.execute("db1", ACCOUNT.format(password=PASSWORD, sudoers=sudoers))
    said = told(as_galvan(operator, None), 4, "--limit", "db1")
    assert words in said
    assert "docs/sudoers.md" in said


# keys -------------------------------------------------------------------------------------------------------------
def test_a_wrong_key_and_a_changed_host_key(operator: Operator) -> None:
    other = operator.home / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
    wrong = edited(
        operator, "wrong", lambda document: None, lambda text: re.sub("IdentityFile .*", f"IdentityFile {other}", text)
    )
    said = told(wrong, 4, "--limit", "db1")
    assert f"permission denied for the user root at {lab.current().host('db1').address} port 22" in said
    assert str(other) in said
    kind, blob = other.with_suffix(".pub").read_text().split()[:2]
    known = operator.home / "known"
    known.write_text(re.sub(r"(?m)^(db1,\S+) .*$", rf"\1 {kind} {blob}", lab.current().known_hosts.read_text()))
    changed = edited(
        operator,
        "changed",
        lambda document: None,
        lambda text: re.sub("UserKnownHostsFile .*", f"UserKnownHostsFile {known}", text),
    )
    said = told(changed, 4, "--limit", "db1,db2")
    assert "HAS CHANGED" in said
    assert f"{known} line 1" in said
    assert said.count("reachable") == 1


def test_an_unknown_host_key_is_shown_and_asked_about_at_a_terminal(operator: Operator) -> None:
    known = operator.home / "empty"
    config = operator.home / "first_config"
    config.write_text(
        re.sub("UserKnownHostsFile .*", f"UserKnownHostsFile {known}", lab.current().ssh_config.read_text())
    )
    who = Operator(operator.home / "first")
    who.home.mkdir()
    command = who.command("init", "db1", "--ssh-config", str(config))
    assert subprocess.run(command, stdin=subprocess.DEVNULL, env=who.environment, check=False).returncode == 1
    assert not who.file.exists()
    assert talk(command, who.environment, {b"Trust it? (yes/no)": b"no\n"})[0] == 1
    assert not known.exists()
    code, said = talk(command, who.environment, {b"Trust it? (yes/no)": b"yes\n"})
    assert code == 0, said
    assert said.count("SHA256:") >= 3  # each member is another host
    assert who.json("audit", "--limit", "database")["hosts"][2]["unreachable"] is None


def talk(command: list[str], environment: dict[str, str], answers: dict[bytes, bytes]) -> tuple[int, str]:
    """At a terminal of its own; each question is answered as often as it comes."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, environment)
    said, asked = b"", 0
    while True:
        try:
            more = os.read(terminal, 4096)
        except OSError:
            break
        if not more:
            break
        said += more
        for question, answer in answers.items():
            if question in said[asked:]:
                asked = len(said)
                os.write(terminal, answer)
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.decode(errors="replace")


# what was named is not the cluster --------------------------------------------------------------------------------
def test_a_member_that_nobody_named(operator: Operator) -> None:
    few = edited(operator, "few", lambda document: document["hosts"].pop("db3"))
    assert f"db1 counts 3 members, and 2 are named: {lab.current().host('db3').address}" in told(few, 4)
    refused = few.run("plan", "-o", str(few.home / "plan.json"))
    assert refused.returncode == 5
    assert "nothing is planned" in refused.stderr
    assert not (few.home / "plan.json").exists()


def test_an_application_named_as_a_database_host(operator: Operator) -> None:
    wrong = edited(operator, "role", lambda document: document["hosts"]["app1"].update(role="database"))
    assert "app1 is named as a database host, and no server answers there" in told(wrong, 4)
    assert wrong.run("plan").returncode == 5


def test_a_host_that_is_down_before_the_run(operator: Operator) -> None:
    elsewhere = edited(operator, "down", lambda document: document["hosts"]["db2"].update(port=2222))
    done = elsewhere.run("apply", "--auto-approve")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "nothing listens at" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("audit", "--limit", "db9"), "did you mean"),
        (("audit", "--tip", "firewal"), "there is no tip firewal"),
        (("audit", "--output", "/"), "is a directory"),
        (("plan", "-o", "/"), "is a directory"),
        (("plan", "-o", "/no/such/plan.json"), "there is no directory /no/such"),
    ],
)
def test_wrong_words_are_wrong_usage(operator: Operator, words: tuple[str, ...], said: str) -> None:
    done = operator.run(*words)
    assert done.returncode == 64
    assert said in done.stderr


def test_nothing_was_changed_by_any_of_this(untouched: dict[str, str]) -> None:
    assert hashes() == untouched


def test_two_clusters_in_one_file(operator: Operator) -> None:
    lab.execute(
        "db3",
        "systemctl stop mariadb; rm -f /var/lib/mysql/grastate.dat /var/lib/mysql/gvwstate.dat; galera_new_cluster",
    )
    said = told(operator, 4)
    assert "these hosts belong to 2 clusters, by the state UUID (db1, db2: " in said
    done = operator.run("plan")
    assert done.returncode == 5
    assert "belong to 2 clusters" in done.stderr
