"""Ansible inventories as they are: the simple reading and ansible-inventory's own must say the same of each host."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from galvan.edges import ansible
from galvan.edges.ansible_files import expanded
from galvan.edges.inventory import dump, load
from galvan.model import BadInput, Cluster, Host, Role, SecretRef

PROGRAM = shutil.which("ansible-inventory") or shutil.which("ansible-inventory", path=str(Path(sys.executable).parent))
INI = """
# the shop
[galera]
db[1:3] ansible_user=dba
[galera:vars]
ansible_ssh_common_args='-o ProxyJump=bob@bastion:2222 -o ControlMaster=auto -C'
ansible_ssh_private_key_file=~/.ssh/shop
wsrep_cluster_name=shop
[lb]
lb1 ansible_host=192.0.2.21 ansible_port=2022  # the balancer
lb2:2023 ansible_host=192.0.2.22
[monitoring]
pmm ansible_host=192.0.2.40
[printers]
laser ansible_connection=local
[prod:children]
galera
lb
[prod:vars]
ansible_user=ops
"""
YAML = """
all:
  children:
    prod:
      vars: {ansible_user: ops}
      children:
        galera:
          hosts:
            db[1:3]: {ansible_user: dba}
          vars:
            ansible_ssh_common_args: -o ProxyJump=bob@bastion:2222 -o ControlMaster=auto -C
            ansible_ssh_private_key_file: ~/.ssh/shop
            wsrep_cluster_name: shop
        lb:
          hosts:
            lb1: {ansible_host: 192.0.2.21, ansible_port: 2022}
            lb2: {ansible_host: 192.0.2.22, ansible_port: 2023}
    monitoring: {hosts: {pmm: {ansible_host: 192.0.2.40}}}
    printers: {hosts: {laser: {ansible_connection: local}}}
"""
VARS = {"host_vars/db1.yml": "ansible_host: 192.0.2.11\n", "host_vars/db2": "ansible_host: 192.0.2.12\n",
        "host_vars/db3/a.yaml": "lan: 192.0.2.13\nansible_host: '{{ lan }}'\n",
        "group_vars/all/main.yml": "ansible_port: 22\nmysql_root_password: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n"}  # fmt: skip


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(params=["ansible-inventory", "simply"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "simply":
        monkeypatch.setattr(ansible.shutil, "which", lambda name: None)  # type: ignore[attr-defined]
    elif PROGRAM is None:
        pytest.skip("Ansible is not installed here")
    else:
        monkeypatch.setattr(ansible.shutil, "which", lambda name: PROGRAM)  # type: ignore[attr-defined]
    return str(request.param)


def told(folder: Path, inventory: str, more: str = "") -> Cluster:
    file = folder / "galvan.yaml"
    file.write_text(f"cluster: shop\ninventory: {inventory}\n{more}")
    return load(file)


@pytest.mark.parametrize(("name", "text"), [("hosts.ini", INI), ("hosts.yml", YAML), ("hosts", INI)])
def test_an_inventory_as_it_is(tmp_path: Path, reader: str, name: str, text: str) -> None:
    cluster = told(written(tmp_path, {**VARS, name: text}), name)
    db1, db2, db3, pmm, lb1, lb2 = cluster.hosts
    assert [h.name for h in cluster.hosts] == ["db1", "db2", "db3", "pmm", "lb1", "lb2"]
    assert db1 == Host(
        "db1", "192.0.2.11", Role.DATABASE, "192.0.2.11", user="dba", port=22, identity="~/.ssh/shop",
        jump="bob@bastion:2222", groups=("galera", "prod"),
    )  # fmt: skip
    assert (db2.address, db3.address) == ("192.0.2.12", "192.0.2.13")
    assert (lb1.role, lb1.kind, lb1.user, lb1.port, lb1.jump) == (Role.LOAD_BALANCER, "haproxy", "ops", 2022, "")
    assert (lb2.ssh, lb2.port) == ("192.0.2.22", 2023)
    assert (pmm.role, pmm.user) == (Role.MONITOR, None)


def test_a_directory_of_inventories(tmp_path: Path, reader: str) -> None:
    half = INI.split("[lb]")
    files = {"inv/01-db": half[0], "inv/02-rest": "[lb]" + half[1], "inv/notes.md": "not an inventory", **{
        f"inv/{name}": text for name, text in VARS.items()}}  # fmt: skip
    cluster = told(written(tmp_path, files), "inv")
    assert [(h.name, h.address) for h in cluster.hosts][:3] == [
        ("db1", "192.0.2.11"), ("db2", "192.0.2.12"), ("db3", "192.0.2.13"),
    ]  # fmt: skip


def test_an_inventory_alone_is_a_cluster(tmp_path: Path, reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, {**VARS, "hosts.ini": INI})
    monkeypatch.chdir(tmp_path)
    assert load(Path("galvan.yaml"), Path("hosts.ini")).name == "shop"
    (tmp_path / "hosts.ini").write_text(INI.replace("wsrep_cluster_name=shop", ""))
    name = load(Path("galvan.yaml"), Path("hosts.ini")).name
    assert name.endswith("-hosts")  # the file's own path: two inventories never share authorities
    assert name != "hosts"


def test_galvan_yaml_says_what_the_inventory_does_not(tmp_path: Path, reader: str) -> None:
    more = """
groups: {printers: none, wsrep: database, edge: proxysql}
become: {password_file: /etc/galvan/sudo}
hosts:
  n1: {address: 10.9.0.1, jump: none}
  out: {role: outsider, address: 192.0.2.66}
"""
    text = "[wsrep]\nn1 ansible_host=192.0.2.1\n[edge]\np1 ansible_host=192.0.2.2\n[mysql]\nold ansible_host=192.0.2.9\n[printers]\nlaser\n"
    cluster = told(written(tmp_path, {"h.ini": text}), "h.ini", more)
    n1, p1, out = cluster.hosts
    assert (n1.address, n1.ssh, n1.jump, n1.become) == (
        "10.9.0.1",
        "192.0.2.1",
        "none",
        SecretRef("file:/etc/galvan/sudo"),
    )
    assert (p1.kind, out.role) == ("proxysql", Role.OUTSIDER)
    again = tmp_path / "again.yaml"
    again.write_text(dump(cluster))
    assert [(h.address, h.jump, h.become) for h in load(again).hosts] == [
        (h.address, h.jump, h.become) for h in cluster.hosts
    ]


@pytest.mark.parametrize(
    ("groups", "said", "role"),
    [
        ({"galera"}, "", "database"), ({"Galera-Nodes"}, "", "database"), ({"lb"}, "", "haproxy"), ({"maxscale"}, "", "maxscale"),
        ({"garbd"}, "", "arbitrator"), ({"webservers"}, "", "application"), ({"pxc", "haproxy"}, "", "database"),
        ({"printers"}, "", "none"), ({"galera"}, "none", "none"), ({"printers"}, "replica", "replica"),
        ({"galera", "staging"}, "", "none"), ({"edge", "galera"}, "", "proxysql"),
    ],
)  # fmt: skip
def test_which_group_is_which_role(groups: set[str], said: str, role: str) -> None:
    assert ansible.role_of("h", frozenset(groups), said, {"staging": "none", "edge": "proxysql"}, "f") == role


ONE = "[galera]\ndb1 ansible_host=192.0.2.1"
REFUSED: list[tuple[str, str, list[str]]] = [
    (ONE + " ansible_become_password=geheim", "", ["db1", "ansible_become_password", "password_file"]),
    (ONE + " ansible_connection=docker", "", ["db1", "ansible_connection=docker", "ssh alone"]),
    (ONE + " ansible_become_method=su", "", ["db1", "ansible_become_method=su"]),
    (ONE + " ansible_port=seven", "", ["db1", "ansible_port=seven"]),
    (ONE + " ansible_port=70000", "", ["db1", "70000 is no port"]),
    (ONE + " galvan_role=databse", "", ["db1", "'databse' is not one of database"]),
    (ONE + " ansible_user='a;b'", "", ["db1", "ansible_user 'a;b'"]),
    (ONE + " ansible_ssh_common_args='-F other'", "", ["db1", "-F", "~/.ssh/config"]),
    (ONE + " ansible_ssh_common_args='-o ProxyCommand=\"nc %h %p\"'", "", ["db1", "nc %h %p", "~/.ssh/config"]),
    ("[galera]\ndb1 ansible_host='{{ lookup(1) }}'", "", ["db1", "ansible_host is a template", "galvan.yaml"]),
    ("[galera]\ndb1 ansible_host=no-such-name.invalid", "", ["db1", "no-such-name.invalid has no address", "galvan_address"]),
    (ONE + "\n[wsrep]\ndb1-b ansible_host=192.0.2.1", "", ["db1", "same address 192.0.2.1"]),
    ("[printers]\nlaser", "", ["no group is known to hold the database hosts", "groups: {NAME: database}"]),
    (ONE, "groups: {galra: database}", ["no group galra", "it has galera"]),
    (ONE, "groups: {galera: databse}", ["line 3", "'databse' is not one of database"]),
    (ONE + " galvan_cluster=a\n[mysql]\ndb2 ansible_host=192.0.2.2 galvan_cluster=b", "", ["several clusters (a, b)", "none"]),
    ("[galera\ndb1", "", ["hosts.ini"]),
    ("[galera]\ndb[3:1]", "", ["hosts.ini", "db[3:1]"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "more", "words"), REFUSED, ids=[words[-1] for _, _, words in REFUSED])
def test_what_is_refused_and_with_which_words(
    tmp_path: Path, reader: str, text: str, more: str, words: list[str]
) -> None:
    if reader == "ansible-inventory" and words == ["hosts.ini", "db[3:1]"]:
        words = ["hosts.ini"]
    with pytest.raises(BadInput) as why:
        told(written(tmp_path, {"hosts.ini": text + "\n"}), "hosts.ini", more)
    assert [word for word in words if word not in str(why.value)] == []
    assert "geheim" not in str(why.value)


def test_a_vaulted_value_that_matters_is_refused(tmp_path: Path, reader: str) -> None:
    vaulted = "ansible_user: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n"
    written(tmp_path, {"hosts.ini": ONE, "group_vars/galera.yml": vaulted})
    with pytest.raises(BadInput, match="vault"):
        told(tmp_path, "hosts.ini")


def test_a_vaulted_file_is_refused(tmp_path: Path, reader: str) -> None:
    written(tmp_path, {"hosts.ini": ONE, "group_vars/galera.yml": "$ANSIBLE_VAULT;1.1;AES256\n6162\n"})
    with pytest.raises(BadInput, match=r"vault.*(ANSIBLE_VAULT_PASSWORD_FILE|ansible-inventory)"):
        told(tmp_path, "hosts.ini")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-J a,b -p 2022 -l dba -i ~/.ssh/k", {"jump": "a,b", "port": "2022", "user": "dba", "identity": "~/.ssh/k"}),
        ("-o ProxyJump=a -o 'ProxyJump b' -oPort=9", {"jump": "a", "port": "9"}),
        ("-o ProxyCommand='ssh -q -p 2222 -l bob -W %h:%p bastion'", {"jump": "bob@bastion:2222"}),
        ("-o ProxyCommand='ssh -J outer -W [%h]:%p inner'", {"jump": "outer,inner"}),
        ("-o ProxyCommand=none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -C -v", {}),
    ],
)
def test_arguments_of_ssh(words: str, said: dict[str, str]) -> None:
    assert ansible.ssh_words(shlex.split(words), BadInput) == said


@pytest.mark.parametrize(
    "words", ["-F x", "-o", "-o HostName=other", "-o ProxyCommand='ssh -W %h:%p -i k b'", "-L 1:b:2"]
)
def test_arguments_of_ssh_that_would_lead_elsewhere(words: str) -> None:
    with pytest.raises(BadInput):
        ansible.ssh_words(shlex.split(words), BadInput)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: None, "there is no inventory"),
        (lambda p: p.write_bytes(b"\xff\xfe\x00"), "cannot be read"),
        (lambda p: (p.write_text("#!/bin/sh\n"), p.chmod(0o755)), "dynamic inventory"),
    ],
    ids=["missing", "binary", "script"],
)
def test_what_the_simple_reading_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], object], words: str
) -> None:
    monkeypatch.setattr(ansible.shutil, "which", lambda name: None)  # type: ignore[attr-defined]
    make(tmp_path / "hosts")
    with pytest.raises(BadInput, match=words):
        told(tmp_path, "hosts")


def test_a_second_list_of_hosts_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "galvan.yaml"
    file.write_text("cluster: shop\nhosts: {db1: {role: database, address: 192.0.2.1}}\n")
    with pytest.raises(BadInput, match="second list"):
        load(file, tmp_path / "hosts.ini")


def test_a_password_of_another_variable_does_not_come_in() -> None:
    output = {
        "_meta": {"hostvars": {"db1": {"ansible_host": "192.0.2.1", "mysql_root_password": "geheim"}}},
        "galera": {"hosts": ["db1"]},
    }
    assert "geheim" not in repr(ansible.listed(json.dumps(output)))


@pytest.mark.parametrize("pattern", ["db[a:3]", "db[1:9999999]", "db[1:3:0]", "db[3:1]"])
def test_what_is_no_range(pattern: str) -> None:
    with pytest.raises(BadInput, match="no range"):
        list(expanded(pattern))
