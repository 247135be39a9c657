"""Who gives in a forced transfer: whoever has the fewest clients, and out of the balancer where it has any."""

from __future__ import annotations

import pytest
from practice import crew_of, insecure, run

from galvan.edges.fake import Fake, Pool, services
from galvan.edges.fake.machines import Machine
from galvan.engine.rehearse import full_transfer
from galvan.model import Action, How, Restart, Shell, Sql, Unsafe


class Giving(Fake):
    """A start that asks for everything, and what was drained then."""

    begun = ""
    aside: tuple[str, ...] = ()

    def _do(self, machine: Machine, action: Action, wave: str, at: str, whole: bool) -> str:
        if not (isinstance(action, Shell) and "grastate" in action.text):
            return super()._do(machine, action, wave, at, whole)
        self.begun = action.text
        self.aside = tuple(door.member for doors in self.clients.doors.values() for door in doors if door.drained)
        services.start(self, machine, Restart(3, "mariadb", How.START), at, whole)
        return ""


def forced(fake: Giving, method: str = "mariabackup", donor: str = "", name: str = "", on: str = "db3") -> list[str]:
    for machine in fake.machines.values():
        if not machine.server:
            continue
        machine.server.variables |= {"wsrep_sst_method": method, "wsrep_sst_donor": donor}
        if name:
            machine.server.variables["wsrep_node_name"] = f"{name} {machine.host.name}"
    told: list[str] = []
    run(full_transfer(fake.machines[on].host, crew_of(fake), "mariadb", "/var/lib/mysql/", told.append))
    return told


def cluster(databases: int = 3) -> Giving:
    plain = insecure(databases)
    fake = Giving(plain.cluster)
    fake.clients.pools.append(Pool("app", "app1", "lb1"))
    fake.clients.tend()
    return fake


def drained(fake: Fake) -> list[str]:
    return [door.member for doors in fake.clients.doors.values() for door in doors if door.drained]


def test_a_member_without_clients_gives_and_stays_where_it_is() -> None:
    fake = cluster()
    told = forced(fake)
    assert "MYSQLD_OPTS=--wsrep-sst-donor=db2," in fake.begun
    assert "from db2" in " ".join(told)
    assert fake.aside == ("db3",)
    assert drained(fake) == []
    assert fake.group.server("db3").variables["wsrep_sst_donor"] == ""


def test_where_all_have_clients_the_one_with_the_fewest_leaves_the_balancer_for_as_long() -> None:
    fake = cluster()
    fake.clients.open_session("report", "10.0.0.40", "db2")
    told = forced(fake)
    assert fake.aside == ("db2", "db3")
    assert drained(fake) == []
    assert any("drained" in said for said in told)


def test_one_that_is_near_gives_though_it_has_more_clients() -> None:
    fake = cluster()
    fake.group.server("db2").provider["gmcast.segment"] = "1"
    forced(fake)
    assert "--wsrep-sst-donor=db1," in fake.begun
    assert fake.aside == ("db1", "db3")


def test_the_owners_own_choice_stands_and_its_clients_are_spared_too() -> None:
    fake = cluster()
    told = forced(fake, donor="elsewhere,db1")
    assert "MYSQLD_OPTS=--wsrep" not in fake.begun
    assert "[ -z '' ]" in fake.begun
    assert "from db1" in " ".join(told)
    assert fake.aside == ("db1", "db3")
    assert not any(isinstance(done.action, Sql) and "donor" in done.action.text for done in fake.log)


def test_a_name_that_is_more_than_a_word_leaves_the_choice_to_the_server() -> None:
    fake = cluster()
    told = forced(fake, name="the one called")
    assert "[ -z '' ]" in fake.begun
    assert "from" not in told[-1]


def test_the_last_one_that_would_serve_gives_only_where_it_serves_meanwhile() -> None:
    fake = cluster(2)
    forced(fake, on="db2")
    assert "--wsrep-sst-donor=db1," in fake.begun
    assert fake.aside == ("db2",)
    with pytest.raises(
        Unsafe, match="db2 was not stopped: db1 would have to give it its data and to serve all clients"
    ):
        forced(fake, method="rsync", on="db2")
    assert fake.group.server("db2").up
    assert drained(fake) == []
