"""Ground on which Galvan's file would not be heeded is refused before anything is written; names stand for addresses."""

from __future__ import annotations

from dataclasses import replace

import pytest
from practice import TOP, carry, crew_of, heights, hosts, insecure, look, planned, run

from galvan.app.planning import order_of
from galvan.cluster import identity
from galvan.cluster.facts import PLATFORM, VARIABLES
from galvan.edges.fake import Fake
from galvan.edges.fake.machines import CONFIG_HOME, File
from galvan.model import Cluster, Host, HostFacts, Role


@pytest.mark.parametrize(
    ("text", "refused", "why"),
    [
        ("[mariadb]\ntls-version = TLSv1.2\n", "client_tls", "tls_version in [mariadb]"),
        ("[mysqld]\nskip-ssl\n", "client_tls", "ssl in [mysqld]"),
        ("[galera]\nloose_wsrep_provider_options = 'gcache.size=1G'\n", "replication_tls", "wsrep_provider_options in [galera]"),
    ],
)  # fmt: skip
def test_an_option_that_would_outdo_ours_is_named_in_the_plan(text: str, refused: str, why: str) -> None:
    """Only the tip that it concerns: the other one goes on, and nothing of the refused one is left in the plan."""
    fake = insecure()
    fake.machines["db2"].files[f"{CONFIG_HOME}/zzz-yours.cnf"] = File(text)
    made = run(planned(fake))
    assert list(made.refused) == [refused]
    assert f"on db2 the server reads {why} in {CONFIG_HOME}/zzz-yours.cnf" in made.refused[refused]
    assert f"after {CONFIG_HOME}/zz-galvan.cnf" in made.refused[refused]
    assert {step.tip for wave in made.waves for step in wave.steps} == set(TOP) - {refused}


def test_an_option_that_is_read_earlier_is_no_reason() -> None:
    fake = insecure()
    fake.machines["db2"].files[f"{CONFIG_HOME}/zz-early.cnf"] = File(
        "[mysqld]\nwsrep_provider_options = 'pc.weight=1'\n"
    )
    assert not run(planned(fake)).refused


@pytest.fixture
def named() -> Fake:
    """Every database host has a name for an address in galvan.yaml; the balancer knows their numbers."""
    numbers = hosts()
    fake = Fake(
        Cluster(
            "shop", tuple(replace(h, address=f"{h.name}.internal") if h.role is Role.DATABASE else h for h in numbers)
        )
    )
    fake.clients.tend()
    for host in numbers:
        fake.machines[host.name].address = host.address
    for door in fake.clients.doors["lb1"]:
        door.address = next(host.address for host in numbers if host.name == door.member)
    return fake


def test_a_host_is_found_behind_its_balancer_by_its_own_addresses(named: Fake) -> None:
    said: list[str] = []
    choreography = crew_of(named).choreography
    run(choreography.farewell(named.machines["db2"].host, named, said.append))
    assert said == ["drained on lb1"]
    assert [door.drained for door in named.clients.doors["lb1"]] == [False, True, False]
    run(choreography.welcome(named.machines["db2"].host, named))
    assert not any(door.drained for door in named.clients.doors["lb1"])


def test_the_writer_is_known_by_its_own_addresses(named: Fake) -> None:
    assert order_of(run(look(named)))[-1] == "db1"


def test_a_climb_with_names(named: Fake) -> None:
    run(carry(named, run(planned(named))))
    assert run(heights(named)) == TOP


def test_certificates_hold_the_name_and_the_addresses(named: Fake) -> None:
    names, addresses = identity.member(run(look(named)).of("db2"))
    assert {"db2", "db2.internal"} <= set(names)
    assert addresses == ("10.0.0.12",)


def test_a_member_is_also_called_by_its_wsrep_node_address() -> None:
    host = Host("db1", "10.0.0.11", Role.DATABASE, "db1")
    readings = {
        PLATFORM.id: {"hostname": "db1", "addresses": "10.0.0.11 fd00::1"},
        VARIABLES.id: {"wsrep_node_address": "db1-int:5567"},
    }
    assert identity.member(HostFacts(host, readings)) == (("db1", "db1-int"), ("10.0.0.11", "fd00::1"))


@pytest.mark.parametrize(
    ("said", "bare"),
    [
        ("10.0.0.1:4567", "10.0.0.1"), ("[fd00::1]:3306", "fd00::1"), ("fd00::1", "fd00::1"), ("db1:5567", "db1"), ("db1", "db1"),
        ("10.0.0.1:0", "10.0.0.1"), ("", ""), ("[::1]", "::1"),
    ],
)  # fmt: skip
def test_an_address_without_its_port(said: str, bare: str) -> None:
    assert identity.bare(said) == bare
