"""What a plan makes of two balancers that are to share an address, as keepalived's fact shows them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from practice_cases import snapshot_of

from galvan.model import Balancing, Blind, Pair, Rung, Snapshot, Stage
from galvan.tips.load_balancer import steps
from galvan.tips.load_balancer.keepalived import steps as pairs


def host(number: int, more: str = "", conf: str = "") -> str:
    return f"version=2.2.7\nenabled=yes\naddress lo 127.0.0.1/8\naddress eth0 10.89.77.{number}/24\n{more}---\n{conf}"


def seen(first: str, second: str, pair: Pair | None = None) -> Snapshot:
    """Two balancers as the lab's, with what keepalived's fact prints of them."""
    made = snapshot_of({
        "from": "door-open",
        "output": {"lb1": {"keepalived.host": first}, "lb2": {"keepalived.host": second, "haproxy.file": "version=2.6\nplain=0\n---\n"}},
    })  # fmt: skip
    policy = replace(made.cluster.policy, load_balancer=Balancing(pair=pair or Pair("10.89.77.20", "eth0")))
    return replace(made, cluster=replace(made.cluster, policy=policy))


def test_the_first_takes_it_and_the_second_stands_by() -> None:
    first, second = pairs.mend(seen(host(21), host(22)))
    assert [(s.host, s.stage) for s in (first, second)] == [("lb1", Stage.PAIR), ("lb2", Stage.PAIR)]
    assert len(first.do) == len(second.do) + 1, "before the first one nobody may answer; then the first one does"
    assert first.before == {"script": "", "config": "", "included": "", "active": "", "enabled": "yes"}
    assert first.want["config"] != second.want["config"]


def test_no_pair_no_step() -> None:
    without = snapshot_of({"from": "door-open"})
    assert [*pairs.mend(without)] == []
    assert Stage.PAIR not in {step.stage for step in steps._doors(without.of("lb1"), without, Rung.READY)}


@pytest.mark.parametrize(
    ("first", "second", "pair", "said"),
    [
        (host(21).replace("version=2.2.7\n", ""), host(22), None, "lb1 has no keepalived"),
        (host(21), host(22), Pair("10.89.78.20", "eth0"), "has 10.89.77.0/24, and 10.89.78.20 does not belong there"),
        (host(21), host(22), Pair("10.89.77.20", "eth1"), "eth1 of lb1 has no address"),
        (host(21), host(22), Pair("10.89.77.11", "eth0"), "is the own address of db1"),
        (host(21, "address eth0 10.89.77.20/24\n"), host(22), None, "lb1 carries 10.89.77.20 already"),
        (host(21), host(22, conf="vrrp_instance a\ninterface eth0\nvirtual_router_id 5\n10.89.77.20/24\n"), None, "lb2 shares 10.89.77.20 already"),
        (host(21), host(22, conf="vrrp_instance a\ninterface eth0\nvirtual_router_id 9\n"), Pair("10.89.77.20", "eth0", 9), "virtual_router_id 9 on eth0"),
        (host(99), host(22), None, "does not name the address of lb1 on eth0: add 10.89.77.99"),
    ],
)  # fmt: skip
def test_what_cannot_be_shared_is_refused_with_words(first: str, second: str, pair: Pair | None, said: str) -> None:
    with pytest.raises(Blind, match=said):
        [*pairs.mend(seen(first, second, pair))]


def test_one_balancer_is_no_pair() -> None:
    made = seen(host(21), host(22))
    alone = replace(made, hosts=tuple(f for f in made.hosts if f.host.name != "lb2"))
    with pytest.raises(Blind, match=r"a pair is two HAProxy hosts, and galvan\.yaml names lb1"):
        [*pairs.mend(alone)]
