"""The conversation with sudo, against a sudo of this process: the password is sent when asked for, once, and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import asyncssh
import pytest
import ssh_servers
from ssh_servers import machines

from galvan.edges import becoming
from galvan.edges.becoming import ASKS, THERE, WITH_PASSWORD, complaint
from galvan.edges.connections import Connections
from galvan.model import Cluster, Host, Role, SecretRef, Unreachable

REF = SecretRef("file:/etc/galvan/sudo")
NAMES = ("db1", "db2", "db3")
Sudo = Callable[[Any], Coroutine[Any, Any, bool]]


class Heard:
    """What the sudo of all hosts was told."""

    def __init__(self, sudo: Sudo) -> None:
        self.sudo, self.passwords, self.scripts, self.commands = sudo, list[str](), list[str](), list[str]()

    async def serve(self, process: asyncssh.SSHServerProcess[str]) -> None:
        self.commands.append(process.command or "")
        if await self.sudo(self._asking(process)):
            process.stderr.write(f"{THERE}\n")
            self.scripts.append(await process.stdin.read())
            process.stdout.write("done\n")
            process.exit(0)
        else:
            process.exit(1)

    def _asking(self, process: asyncssh.SSHServerProcess[str]) -> Callable[[str], Coroutine[Any, Any, str]]:
        async def ask(lecture: str = "") -> str:
            process.stderr.write(f"{lecture}{ASKS}")
            said = (await process.stdin.readline()).rstrip("\n")
            self.passwords += [said] if said else []
            return said

        ask.say = process.stderr.write  # type: ignore[attr-defined]
        return ask


def carried(
    folder: Path, sudo: Sudo, monkeypatch: pytest.MonkeyPatch, password: str = "richtig"
) -> tuple[Heard, list[Any]]:
    heard = Heard(sudo)
    monkeypatch.setattr(ssh_servers, "_run", heard.serve)

    async def all_at_once() -> list[Any]:
        async with machines(folder, *NAMES) as made:
            (folder / "config").write_text(
                "".join(
                    one.block(f"IdentityFile {folder}/id", f"UserKnownHostsFile {folder}/known_hosts") for one in made
                )
            )
            hosts = [Host(one.name, "192.0.2.1", Role.DATABASE, one.name, become=REF) for one in made]
            connections = Connections(
                Cluster("shop", tuple(hosts), ssh_config=(str(folder / "config"),)), lambda ref: password
            )
            tries = (connections.exec(host, f"script {n}", 5.0) for n in range(2) for host in hosts)
            said = await asyncio.gather(*tries, return_exceptions=True)
            await connections.close()
            return said

    return heard, asyncio.run(all_at_once())


async def asks(ask: Any) -> bool:
    if await ask("We trust you have received the usual lecture.\n") == "richtig":
        return True
    return await ask("Sorry, try again.\n") == "richtig"


async def asks_for_none(ask: Any) -> bool:
    return True


async def knows_nobody(ask: Any) -> bool:
    await ask()
    ask.say("dba is not in the sudoers file.\n")
    return False


async def wants_a_second_factor(ask: Any) -> bool:
    ask.say("Verification code: ")
    await asyncio.sleep(5)
    return False


def test_the_password_is_given_when_asked_for_and_the_script_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard, said = carried(tmp_path, asks, monkeypatch)
    assert said == [("done\n", "", 0)] * 6
    assert heard.passwords == ["richtig"] * 6
    assert sorted(heard.scripts) == ["script 0"] * 3 + ["script 1"] * 3
    assert heard.commands == [WITH_PASSWORD] * 6  # no password in an argument


def test_a_wrong_password_is_tried_once_on_one_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard, said = carried(tmp_path, asks, monkeypatch, "falsch")
    assert heard.passwords == ["falsch"]
    assert heard.scripts == []
    assert all(isinstance(why, Unreachable) for why in said)
    assert "sudo did not take the password in /etc/galvan/sudo" in str(said[0])
    assert sum("so it was not tried here" in str(why) for why in said) == 4  # two of three hosts, twice
    assert "falsch" not in " ".join(map(str, said))


def test_a_password_that_nobody_asks_for_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard, said = carried(tmp_path, asks_for_none, monkeypatch)
    assert said == [("done\n", "", 0)] * 6
    assert heard.passwords == []
    assert sorted(heard.scripts) == ["script 0"] * 3 + ["script 1"] * 3


def test_an_account_that_sudo_does_not_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, said = carried(tmp_path, knows_nobody, monkeypatch)
    assert "not in the sudoers file" in str(said[2])
    assert "docs/sudoers.md" in str(said[2])


def test_a_question_in_other_words_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(becoming, "PATIENCE", 0.2)
    heard, said = carried(tmp_path, wants_a_second_factor, monkeypatch)
    assert heard.passwords == []
    assert "second factor" in str(said[0])


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("sudo: a password is required\n", "become: {password_file"),
        ("sudo: sorry, you must have a tty to run sudo\n", "!requiretty"),
        ("Sorry, user dba is not allowed to execute '/usr/bin/sh' as root on db1.\n", "run sh as root"),
        ("sh: 1: exec: sudo: not found\n", "there is no sudo"),
        ("sudo: unable to resolve host db1\nsudo: something new\n", "sudo: something new"),
        ("ERROR 2002 (HY000): Can't connect\n", ""),
    ],
)
def test_what_sudo_says_is_told_with_the_way_out(said: str, meaning: str) -> None:
    assert meaning in complaint(said)
    assert bool(complaint(said)) is bool(meaning)
