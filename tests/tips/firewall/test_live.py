"""What a cloud lets in against the policy: too much with its port and source, what is missing, and not knowing."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from galvan.model import Rung, Unreadable, Verdict
from galvan.tips.firewall.groups import live
from galvan.tips.firewall.table import Allow

POLICY = (
    Allow("db1", "tcp", 22, ("192.0.2.0/24",), "ssh"),
    Allow("db1", "tcp", 3306, ("10.0.1.0/24", "fd00:1::/64"), "clients"),
    Allow("db1", "tcp", 4567, ("10.0.0.1/32", "10.0.0.2/31"), "group communication"),
    Allow("db1", "vrrp", 0, ("10.0.0.2/32",), "VRRP"),
)
OWN = ("10.0.0.1", "fd00::1")


@dataclass(frozen=True)
class Let:
    protocol: str
    first: int
    last: int
    networks: tuple[str, ...]
    unread: str = ""
    group: str = "sg-1"


SSH = Let("tcp", 22, 22, ("192.0.2.0/24",))
CLIENTS = (Let("tcp", 3306, 3306, ("10.0.1.0/24",)), Let("tcp", 3306, 3306, ("fd00:1::/64",)))
GROUP = Let("tcp", 4567, 4567, ("10.0.0.2", "10.0.0.3"))
VRRP = Let("112", -1, -1, ("10.0.0.2/32",))
GOOD = (SSH, *CLIENTS, GROUP, VRRP)


@pytest.mark.parametrize(
    "lets",
    [
        GOOD,
        (*GOOD, Let("tcp", 4567, 4567, ("10.0.0.1",))),
        (*GOOD, Let("icmp", -1, -1, ("0.0.0.0/0",)), Let("icmpv6", -1, -1, ("::/0",)), Let("58", -1, -1, ("::/0",))),
        (*GOOD, Let("-1", -1, -1, ("10.0.0.1/32", "fd00::1"))),
        (*GOOD, Let("-1", -1, -1, ())),
        (SSH, *CLIENTS, VRRP, Let("6", 4567, 4567, ("10.0.0.2/31",))),
        (SSH, Let("tcp", 3306, 3306, ("10.0.1.0/25", "10.0.1.128/25", "fd00:1::/64")), GROUP, VRRP),
    ],
    ids=["the same", "itself", "icmp", "all from itself", "an empty group", "protocol by number", "in pieces"],
)
def test_the_same_in_other_words_passes(lets: tuple[Let, ...]) -> None:
    said = live.judge(POLICY, lets, OWN)
    assert (said.verdict, said.seen) == (Verdict.PASS, "as the policy says (sg-1)")


@pytest.mark.parametrize(
    ("let", "words"),
    [
        (Let("tcp", 22, 22, ("0.0.0.0/0",)), "tcp 22 from 0.0.0.0/0 (sg-1)"),
        (Let("tcp", 22, 22, ("::/0",)), "tcp 22 from ::/0 (sg-1)"),
        (Let("tcp", 4444, 4444, ("10.0.0.2",)), "tcp 4444 from 10.0.0.2/32 (sg-1)"),
        (Let("tcp", 4567, 4567, ("10.0.0.0/29",)), "tcp 4567 from 10.0.0.0/29 (sg-1)"),
        (
            Let("tcp", 3300, 3310, ("10.0.1.7",)),
            "tcp 3300-3305 from 10.0.1.7/32 (sg-1), tcp 3307-3310 from 10.0.1.7/32 (sg-1)",
        ),
        (Let("tcp", 3306, 3307, ("10.0.1.7",)), "tcp 3307 from 10.0.1.7/32 (sg-1)"),
        (Let("tcp", 0, 65535, ("10.0.0.2",)), "tcp 4568-65535 from 10.0.0.2/32"),
        (Let("udp", 4567, 4567, ("10.0.0.2",)), "udp 4567 from 10.0.0.2/32 (sg-1)"),
        (Let("-1", -1, -1, ("10.0.0.2",)), "every port of every protocol from 10.0.0.2/32 (sg-1)"),
        (Let("112", -1, -1, ("10.0.0.3",)), "vrrp from 10.0.0.3/32 (sg-1)"),
        (Let("47", -1, -1, ("10.0.0.3",)), "protocol 47 from 10.0.0.3/32 (sg-1)"),
    ],
)
def test_too_much_is_said_with_port_and_source(let: Let, words: str) -> None:
    said = live.judge(POLICY, (*GOOD, let), OWN)
    assert said.verdict is Verdict.FAIL
    assert said.seen.startswith("lets in too much: ")
    assert words in said.seen
    assert "does not let in" not in said.seen


@pytest.mark.parametrize(
    ("lets", "words"),
    [
        (
            (),
            "tcp 22 from 192.0.2.0/24, tcp 3306 from 10.0.1.0/24, fd00:1::/64, tcp 4567 from 10.0.0.2/31, vrrp from 10.0.0.2/32",
        ),
        ((SSH, CLIENTS[0], GROUP, VRRP), "does not let in: tcp 3306 from fd00:1::/64"),
        ((SSH, *CLIENTS, VRRP, Let("tcp", 4567, 4567, ("10.0.0.2",))), "does not let in: tcp 4567 from 10.0.0.3/32"),
        ((*GOOD[:4], Let("udp", 0, 65535, ("10.0.0.2",))), "does not let in: vrrp from 10.0.0.2/32"),
    ],
)
def test_what_is_missing_is_said(lets: tuple[Let, ...], words: str) -> None:
    said = live.judge(POLICY, lets, OWN)
    assert said.verdict is Verdict.FAIL
    assert words in said.seen


def test_a_range_and_all_protocols_let_in_what_is_in_them() -> None:
    said = live.judge(POLICY, (Let("-1", -1, -1, ("0.0.0.0/0", "::/0")),), OWN)
    assert said.verdict is Verdict.FAIL
    assert "every port of every protocol" in said.seen
    assert "does not let in" not in said.seen


def test_what_could_not_be_read_is_never_a_pass() -> None:
    blind = Let("tcp", 4567, 4567, (), "the prefix list pl-1 could not be read: denied")
    assert live.judge(POLICY, (*GOOD, blind), OWN).verdict is Verdict.UNKNOWN
    missing = live.judge(POLICY, (SSH, *CLIENTS, VRRP, blind), OWN)
    assert (missing.verdict, "does not let in" in missing.seen) == (Verdict.UNKNOWN, False), "it may be in the list"
    much = live.judge(POLICY, (*GOOD, blind, Let("tcp", 23, 23, ("10.0.0.2",))), OWN)
    assert much.verdict is Verdict.FAIL, "too much is too much whatever else is there"
    assert "pl-1" in much.seen


def test_a_long_list_is_cut() -> None:
    many = tuple(Let("tcp", port, port, ("10.0.0.2",)) for port in range(100, 120))
    assert "and 14 more" in live.judge(POLICY, (*GOOD, *many), OWN).seen


def test_a_finding_has_its_check_and_denies_no_rung() -> None:
    found = live.finding("db1", live.unknown(Unreadable("no credentials")))
    assert (found.check, found.host, found.verdict, found.rung) == (
        "firewall.security-groups", "db1", Verdict.UNKNOWN, Rung.OPEN,
    )  # fmt: skip
    assert live.CONTROL == "NW-08"
