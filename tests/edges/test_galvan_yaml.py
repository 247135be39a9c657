"""A galvan.yaml that cannot be used: the error names the file, the line and the field, and says the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from galvan.edges.inventory import load
from galvan.model import BadInput

GOOD = "cluster: shop\nhosts:\n  db1: {role: database, address: 192.0.2.1}\n"
BAD: list[tuple[str, list[str]]] = [
    ("", ["is empty", "galvan init"]),
    ("# only a comment\n", ["is empty"]),
    ("cluster: [shop\nhosts: {}\n", ["line 2"]),
    ("cluster: shop\n\thosts:\n", ["line 2"]),
    ("just words\n", ["line 1", "`name: value` lines"]),
    ("- a\n- b\n", ["line 1", "`name: value` lines"]),
    ("cluster: shop\n", ["the field hosts is missing"]),
    ("hosts: {db1: {role: database, address: 192.0.2.1}}\n", ["the field cluster is missing"]),
    (GOOD + "hots: {}\n", ["line 4", "hots", "unknown field", "hosts"]),
    (GOOD + "cluster: stock\n", ["line 4", "cluster", "given twice"]),
    (GOOD + "  db1: {role: database, address: 192.0.2.2}\n", ["line 4", "hosts.db1", "given twice"]),
    (GOOD + "  db2: {role: database, address: 192.0.2.1}\n", ["db2 and db1 have the same address"]),
    (GOOD + "  db2: {role: databse, address: 192.0.2.2}\n", ["line 4", "hosts.db2.role", "'databse'", "database"]),
    (GOOD + "  db2: {role: database}\n", ["line 4", "hosts.db2", "the field address is missing"]),
    (GOOD + "  db2: {role: database, address: 192.0.2.2, port: ssh}\n", ["line 4", "hosts.db2.port", "no number"]),
    (GOOD + "  db2: {role: database, address: 192.0.2.2, port: 70000}\n", ["line 4", "1 to 65535"]),
    (GOOD + "  db2: {role: database, address: 192.0.2.2, jump: 'a b'}\n", ["line 4", "hosts.db2.jump", "bob@bastion:2222"]),
    (GOOD + "  db2: {role: database, address: 192.0.2.2, identity: key}\n", ["line 4", "hosts.db2.identity", "~/.ssh"]),
    (GOOD + "  db2: {role: database, address: 192.0.2.2, become: yes}\n", ["line 4", "hosts.db2.become", "name: value"]),
    (GOOD + "become: {password: geheim}\n", ["line 4", "become.password", "unknown field", "password_file"]),
    (GOOD + "become: {}\n", ["line 4", "become needs password_file"]),
    (GOOD + "  lb1: {role: load_balancer, address: 192.0.2.3}\n", ["line 4", "hosts.lb1", "needs its kind", "haproxy"]),
    ("cluster: shop\nhosts: [db1, db2]\n", ["line 2", "hosts", "`name: value` lines"]),
    ("cluster: shop\nhosts: {app1: {role: application, address: 192.0.2.1}}\n", ["no host has the role database"]),
    ("cluster: {a: b}\nhosts: {db1: {role: database, address: 192.0.2.1}}\n", ["line 1", "cluster", "one value"]),
    (GOOD + "groups: {galera: database}\n", ["line 4", "groups", "no"]),
    (GOOD + "inventory: nowhere.ini\n", ["there is no inventory", "nowhere.ini"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), BAD, ids=[words[-1] for _, words in BAD])
def test_the_error_names_the_place_and_the_way_out(tmp_path: Path, text: str, words: list[str]) -> None:
    file = tmp_path / "galvan.yaml"
    file.write_text(text)
    with pytest.raises(BadInput) as why:
        load(file)
    assert [word for word in (str(tmp_path), *words) if word not in str(why.value)] == []
    assert "geheim" not in str(why.value)


def test_the_good_one_is_read(tmp_path: Path) -> None:
    file = tmp_path / "galvan.yaml"
    file.write_text(GOOD)
    assert load(file).hosts[0].address == "192.0.2.1"


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="galvan init"):
        load(tmp_path / "galvan.yaml")


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a directory"):
        load(tmp_path)


@pytest.mark.parametrize("content", [b"\x7fELF\x02\x01\x01\x00\xff\xfe", b"cluster: shop\x00\n", b"cluster: \x07\n"])
def test_no_text(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "galvan.yaml"
    file.write_bytes(content)
    with pytest.raises(BadInput, match="is no text file"):
        load(file)


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "galvan.yaml"
    file.write_text(GOOD)

    def refused(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", refused)  # the tests' user may be root, who may read everything
    with pytest.raises(BadInput, match="cannot be read: Permission denied"):
        load(file)
