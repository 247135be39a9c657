"""How long nobody served, out of what systemd wrote on three hosts."""

from __future__ import annotations

from galvan.app.outage import Service, dark, outage, service, service_fact
from galvan.model import Cluster, Host, HostFacts, Role, Snapshot, Unreadable

JOURNAL = """\
clock=1795521700.500000000
1795521448.646447 db1 systemd[1]: Stopping mariadb.service - MariaDB 10.11.19 database server...
1795521449.146447 db1 systemd[1]: Stopped mariadb.service - MariaDB 10.11.19 database server.
1795521451.125278 db1 systemd[1]: Started mariadb.service - MariaDB 10.11.19 database server.
1795521500.250000 db1 systemd[1]: mariadb.service: Main process exited, code=killed, status=9/KILL
"""


def test_what_a_journal_says() -> None:
    assert service(JOURNAL) == Service(
        1795521700.5, ((1795521448.646447, False), (1795521451.125278, True), (1795521500.25, False))
    )
    assert service("clock=1.5\n").changes == ()


def seen(**services: Service | Unreadable) -> float | None:
    fact = service_fact(0)
    hosts = [Host(name, f"10.0.0.{n}", Role.DATABASE, name) for n, name in enumerate(services, 11)]
    facts = tuple(HostFacts(host, {fact.id: services[host.name]}) for host in hosts)
    return outage(Snapshot(Cluster("c", tuple(hosts)), facts, {}, 1000.0), fact)


def test_only_the_time_in_which_all_are_down_counts() -> None:
    one = Service(1000.0, ((10.0, False), (60.0, True)))
    assert seen(a=one, b=Service(1000.0, ((20.0, False), (24.5, True)))) == 4.5
    assert seen(a=one, b=Service(1000.0, ())) == 0.0


def test_a_host_whose_clock_is_ahead() -> None:
    assert (
        seen(a=Service(1000.0, ((10.0, False), (15.0, True))), b=Service(1100.0, ((112.0, False), (190.0, True))))
        == 3.0
    )


def test_a_host_that_does_not_say_makes_it_unknown() -> None:
    assert seen(a=Service(1000.0, ((10.0, False),)), b=Unreadable("no")) is None


def test_it_is_still_going_on() -> None:
    assert dark({"a": [(10.0, False)]}, 15.0) == 5.0
