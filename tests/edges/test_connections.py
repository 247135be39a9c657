"""How Galvan gets to its hosts, against ssh servers of this process: bastions, and every way of not getting there."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import asyncssh
import pytest
from ssh_servers import Machine, machines

from galvan.edges import connections as rooms
from galvan.edges.connections import Connections, UnknownKey
from galvan.edges.hostkeys import fingerprint_of, remember
from galvan.model import Cluster, Host, Role, Unreachable

Text = Callable[[Sequence[Machine]], str]


@pytest.fixture(autouse=True)
def nobody_elses_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


def cluster(folder: Path, text: str, hosts: Sequence[Host]) -> Cluster:
    common = f"Host *\n    User root\n    IdentityFile {folder}/id\n    IdentitiesOnly yes\n    UserKnownHostsFile {folder}/known_hosts\n"
    (folder / "config").write_text(text + common)
    return Cluster("shop", tuple(hosts), ssh_config=(str(folder / "config"),))


def hosts(*names: str, **more: str) -> tuple[Host, ...]:
    return tuple(
        Host(name, f"192.0.2.{n}", Role.DATABASE, name, jump=more.get("jump", "")) for n, name in enumerate(names, 1)
    )


def logins(folder: Path, names: Sequence[str], text: Text, named: Sequence[Host]) -> dict[str, list[str]]:
    """Everyone that `named` says is asked something at once; who logged in where."""

    async def ask() -> dict[str, list[str]]:
        async with machines(folder, *names) as made:
            connections = Connections(cluster(folder, text(made), named))
            async with asyncio.timeout(20):
                said = await asyncio.gather(*(connections.exec(host, "echo $((6 * 7))", 5.0) for host in named))
            await connections.close()
            assert {out for out, _, _ in said} == {"42\n"}
            return {machine.name: machine.users for machine in made}

    return asyncio.run(ask())


DB = ("db1", "db2", "db3")


def test_hosts_behind_a_bastion_share_one_connection_to_it(tmp_path: Path) -> None:
    text: Text = lambda made: made[0].block() + "".join(one.block("ProxyJump bastion") for one in made[1:])  # noqa: E731
    seen = logins(tmp_path, ("bastion", *DB), text, hosts(*DB))
    assert seen == {"bastion": ["root"], "db1": ["root"], "db2": ["root"], "db3": ["root"]}


def test_user_and_port_reach_the_hop(tmp_path: Path) -> None:
    async def ask() -> list[str]:
        async with machines(tmp_path, "bastion", *DB) as made:
            jump = f"bob@127.0.0.1:{made[0].port}"
            told = hosts(*DB, jump=jump)
            connections = Connections(cluster(tmp_path, "".join(one.block() for one in made[1:]), told))
            await asyncio.gather(*(connections.exec(host, "true", 5.0) for host in told))
            await connections.close()
            return made[0].users

    assert asyncio.run(ask()) == ["bob"]


def test_the_key_of_the_host_reaches_the_hop(tmp_path: Path) -> None:
    async def ask() -> None:
        async with machines(tmp_path, "bastion", "db1") as made:
            (tmp_path / "id").rename(tmp_path / "other")
            host = Host("db1", "192.0.2.1", Role.DATABASE, "db1", jump="bastion", identity=str(tmp_path / "other"))
            (tmp_path / "id").write_text(asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode())
            connections = Connections(cluster(tmp_path, "".join(one.block() for one in made), [host]))
            assert (await connections.exec(host, "echo in", 5.0))[0] == "in\n"
            await connections.close()

    asyncio.run(ask())


def test_a_chain_of_hops(tmp_path: Path) -> None:
    text: Text = lambda made: "".join(one.block() for one in made)  # noqa: E731
    seen = logins(tmp_path, ("outer", "inner", *DB), text, hosts(*DB, jump="outer,inner"))
    assert (seen["outer"], seen["inner"], seen["db3"]) == (["root"], ["root"], ["root"])


def test_the_bastions_own_way_comes_before_it(tmp_path: Path) -> None:
    text: Text = lambda made: made[0].block() + made[1].block("ProxyJump outer") + made[2].block("ProxyJump inner")  # noqa: E731
    seen = logins(tmp_path, ("outer", "inner", "db1"), text, hosts("db1"))
    assert (seen["outer"], seen["inner"]) == (["root"], ["root"])


def test_a_bastion_that_is_sent_through_itself_is_dialled_directly(tmp_path: Path) -> None:
    text: Text = lambda made: "".join(one.block() for one in made) + "Host *\n    ProxyJump bastion\n"  # noqa: E731
    seen = logins(tmp_path, ("bastion", *DB), text, hosts(*DB))
    assert seen["bastion"] == ["root"]


def test_a_host_of_the_cluster_as_bastion_has_one_connection_for_both(tmp_path: Path) -> None:
    text: Text = lambda made: made[0].block() + "".join(one.block("ProxyJump app1") for one in made[1:])  # noqa: E731
    seen = logins(tmp_path, ("app1", *DB), text, (*hosts(*DB), Host("app1", "192.0.2.9", Role.APPLICATION, "app1")))
    assert seen["app1"] == ["root"]


# not getting there ------------------------------------------------------------------------------------------------
def refusal(folder: Path, text: Text, jump: str = "", names: Sequence[str] = ("db1", "bastion")) -> Unreachable:
    async def ask() -> Unreachable:
        async with machines(folder, *names) as made:
            said = text(made)
            host = hosts("db1", jump=jump)[0]
            connections = Connections(cluster(folder, said, [host]))
            with pytest.raises(Unreachable) as why:
                await connections.exec(host, "echo in", 5.0)
            await connections.close()
            return why.value

    return asyncio.run(ask())


def known_as(machine: Machine, key: asyncssh.SSHKey) -> None:
    file = machine.folder / "known_hosts"
    file.write_text("# line 1\n\n" + file.read_text().replace(machine.known(), machine.known(key)))


@contextlib.contextmanager
def deaf() -> Iterator[int]:
    """A port where the connection is made and nothing is said."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_wrong_key_is_named_with_the_user(tmp_path: Path) -> None:
    def other(made: Sequence[Machine]) -> str:
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(tmp_path / "id"))
        return made[0].block()

    why = str(refusal(tmp_path, other))
    assert "db1: permission denied for the user root" in why
    assert f"{tmp_path}/id" in why
    assert "authorized_keys" in why


def test_a_changed_host_key_is_named_with_its_file_and_line(tmp_path: Path) -> None:
    def changed(made: Sequence[Machine]) -> str:
        known_as(made[0], asyncssh.generate_private_key("ssh-ed25519"))
        return made[0].block()

    why = refusal(tmp_path, changed)
    assert not isinstance(why, UnknownKey)  # init must not offer to trust it
    assert "THE HOST KEY OF 127.0.0.1 HAS CHANGED" in str(why)
    assert f"{tmp_path}/known_hosts line 3" in str(why)
    assert "ssh-keygen -R '[127.0.0.1]:" in str(why)


def test_an_unknown_host_key(tmp_path: Path) -> None:
    def forgotten(made: Sequence[Machine]) -> str:
        (tmp_path / "known_hosts").write_text("")
        return made[0].block()

    why = refusal(tmp_path, forgotten)
    assert isinstance(why, UnknownKey)
    assert why.alias == "db1"
    assert "galvan init" in str(why)


def test_a_known_hosts_file_that_is_not_there_knows_nobody(tmp_path: Path) -> None:
    why = refusal(tmp_path, lambda made: made[0].block(f"UserKnownHostsFile {tmp_path}/none-yet"))
    assert isinstance(why, UnknownKey)
    text: Text = lambda made: made[0].block(f"UserKnownHostsFile {tmp_path}/none-yet {tmp_path}/known_hosts")  # noqa: E731
    assert logins(tmp_path, ("db1",), text, hosts("db1")) == {"db1": ["root"]}


def test_the_unknown_key_of_a_bastion_is_the_bastions(tmp_path: Path) -> None:
    def forgotten(made: Sequence[Machine]) -> str:
        (tmp_path / "known_hosts").write_text(made[0].known())
        return made[0].block("ProxyJump bastion") + made[1].block()

    why = refusal(tmp_path, forgotten)
    assert isinstance(why, UnknownKey)
    assert why.alias == "bastion"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (lambda made: "Host db1\n    HostName 127.0.0.1\n    Port 1\n", ["nothing listens at 127.0.0.1 port 1"]),
        (lambda made: "Host db1\n    HostName no-such.invalid\n", ["the name no-such.invalid is not known here"]),
        (lambda made: made[0].block("UserKnownHostsFile none"), ["switches host-key checking off"]),
        (lambda made: "Host db1\n    Port seven\n", ["the ssh configuration cannot be used"]),
        (lambda made: "Host bastion\n    HostName 127.0.0.1\n    Port 1\n" + made[0].block("ProxyJump bastion"),
         ["its bastion is out of reach: bastion: nothing listens"]),
        (lambda made: made[1].block() + "Host db1\n    HostName 127.0.0.1\n    Port 1\n    ProxyJump bastion\n",
         ["db1: bastion cannot reach 127.0.0.1 port 1"]),
    ],
    ids=["closed", "name", "unchecked", "config", "bastion-closed", "behind-closed"],
)  # fmt: skip
def test_why_it_did_not_get_there(tmp_path: Path, text: Text, words: list[str]) -> None:
    why = str(refusal(tmp_path, text))
    assert [word for word in words if word not in why] == []


def test_a_bastion_that_forbids_forwarding(tmp_path: Path) -> None:
    def strict(made: Sequence[Machine]) -> str:
        made[1].forwards = False
        return made[1].block() + made[0].block("ProxyJump bastion")

    assert "AllowTcpForwarding" in str(refusal(tmp_path, strict))


def test_a_host_that_does_not_answer_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "PATIENCE", 0.3)
    with deaf() as port:
        why = str(refusal(tmp_path, lambda made: f"Host db1\n    HostName 127.0.0.1\n    Port {port}\n"))
    assert f"no answer from 127.0.0.1 port {port}" in why


def test_the_first_contact_goes_through_the_bastion_and_is_remembered_where_ssh_looks(tmp_path: Path) -> None:
    def forgotten(made: Sequence[Machine]) -> str:
        (tmp_path / "known_hosts").write_text(made[1].known())
        return made[0].block("ProxyJump bastion") + made[1].block()

    async def ask() -> None:
        async with machines(tmp_path, "db1", "bastion") as made:
            told = cluster(tmp_path, forgotten(made), hosts("db1"))
            key = await asyncio.to_thread(fingerprint_of, "db1", told.ssh_config)
            assert key.fingerprint == made[0].key.get_fingerprint()
            assert made[1].users == ["root"]
            remember(key)
            connections = Connections(told)
            assert (await connections.exec(told.hosts[0], "echo in", 5.0))[0] == "in\n"
            await connections.close()

    asyncio.run(ask())
