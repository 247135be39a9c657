"""A cluster whose owner brought certificates, and stopped half-way: db1 already speaks both, the others know them from
their option files only. The tests of this file build on each other, in order."""

from __future__ import annotations

import time

import pytest

from galvan import lab
from galvan.lab.podman import File, put

from . import brought
from .operator import Operator, hashes, restarts, synced

pytestmark = [pytest.mark.lab, pytest.mark.campaign]

OLD_CLIENT = """
import ssl, time, pymysql
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
context.set_ciphers("ALL:@SECLEVEL=0")
context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
session = pymysql.connect(host="{host}", user="app", password=open("/root/old.password").read(), ssl=context)
time.sleep(300)
"""
OWNERS = f"sha256sum $(find {brought.HOME} {brought.FILE} -type f | sort); find {brought.HOME} -printf '%p %m %u:%g\\n' | sort"


@pytest.fixture(scope="module")
def half_done(operator: Operator) -> dict[str, str]:
    """An intermediate between root and leaf; two authorities, one for clients and one for members."""
    chains = {}
    for channel in ("client", "cluster"):
        root = brought.Signer(f"Shop {channel} root")
        chains[channel] = (brought.Signer(f"Shop {channel} issuing", root), root)
    for host in (h.name for h in lab.current().databases):
        for channel, (middle, root) in chains.items():
            leaf = brought.Signer(host, middle, ca=False, names=brought.names_of(host))
            brought.give(host, channel, leaf, [middle], root.pem)
        brought.name(host)
    lab.execute("db1", "printf '[mysqld]\\nperformance_schema=ON\\n' >/etc/mysql/mariadb.conf.d/61-watch.cnf")
    brought.restart("db1")
    return hashes()


def owners_files() -> dict[str, str]:
    return {host.name: lab.execute(host.name, OWNERS) for host in lab.current().databases}


def test_what_is_sound_is_judged_and_used_as_it_is(operator: Operator, half_done: dict[str, str]) -> None:
    seen = operator.json("audit")
    assert not [f for f in seen["findings"] if f["verdict"] == "unknown"]
    sound = {
        (f["host"], f["check"]): f
        for f in seen["findings"]
        if f["check"].endswith(("material-sound", "key-of-its-own"))
    }
    assert {f["verdict"] for f in sound.values()} == {"pass"}, sound
    assert f"{brought.HOME}/cluster/server.pem" in sound[("db2", "replication_tls.material-sound")]["seen"]
    plan = operator.json("plan")
    assert not [s for wave in plan["waves"] for s in wave["steps"] if "certificate of the" in str(s)]
    assert {host: n for host, n in plan["restarts_per_host"].items() if n} == {"db1": 2, "db2": 2, "db3": 2}


def test_a_client_that_speaks_only_an_old_version_is_named_before_anything(
    operator: Operator, half_done: dict[str, str]
) -> None:
    password = lab.current().password_file.read_text().strip()
    put(
        "app1",
        (
            File("/root/old.py", OLD_CLIENT.format(host=lab.current().host("db1").address)),
            File("/root/old.password", password, 0o600),
        ),
    )
    lab.execute(
        "app1",
        "systemd-run --quiet --collect --unit=old-client python3 /root/old.py; sleep 2; systemctl is-active old-client",
    )
    before = hashes()
    try:
        refused = operator.run("apply", "--auto-approve", "--watch", "8")
    finally:
        lab.execute("app1", "systemctl stop old-client")
    assert refused.returncode == 5, refused.stdout + refused.stderr
    address = lab.current().host("app1").address
    assert f"nothing was begun: app@{address} on db1 would be refused from the first restart on" in refused.stderr
    assert "a live session with TLSv1.1" in refused.stderr
    assert hashes() == before


def test_the_rest_of_the_way_is_gone_under_load(operator: Operator, half_done: dict[str, str]) -> None:
    before, began = owners_files(), time.time()
    lab.start_load(writers=8)
    try:
        ended = operator.json("apply", "--auto-approve", "--watch", "8")
    finally:
        report = lab.stop_load()
    assert ended["status"] == "done", ended
    assert (report.failed, report.lost, report.ambiguous, report.equal) == (0, 0, 0, True), report
    assert restarts(began) == {"db1": 2, "db2": 2, "db3": 2}
    assert owners_files() == before
    assert "/etc/mysql/galvan" not in hashes()["db1"], "nothing was signed beside the owner's"


def test_it_is_proven_with_the_owners_certificates(operator: Operator) -> None:
    seen = operator.json("verify", "--write-marker")
    assert {p["verdict"] for p in seen["proofs"]} == {"pass"}, seen
    audit = operator.json("audit", "--fail-on", "low")
    assert set(audit["rungs"].values()) == {"proven"}
    assert operator.json("apply", "--auto-approve")["waves_done"] == 0


def test_a_renewal_leaves_them_alone_and_says_so(operator: Operator) -> None:
    before = owners_files()
    status = operator.json("pki", "status")["certificates"]
    assert {(c["host"], c["authority"], c["judged"]) for c in status if c["brought"]} == {
        (host.name, authority, "good") for host in lab.current().databases for authority in ("client", "cluster")
    }
    done = operator.json("pki", "renew", "--all")
    assert done["renewed"] == []
    assert len(done["left"]) == 6
    assert owners_files() == before
    assert "is not Galvan's; it ends" in operator.run("pki", "renew", "--all").stdout


def test_the_rollback_goes_back_to_what_the_option_files_say(operator: Operator, half_done: dict[str, str]) -> None:
    """Files are as before; the two that were never restarted by their owner now run with what he named there."""
    assert operator.json("rollback", "--auto-approve")["status"] == "done"
    assert hashes() == half_done
    assert synced()
    shown = "mariadb -NBe \"show variables like 'wsrep_provider_options'\" | grep -o 'socket.ssl = YES\\|listen_addr = [a-z]*'"
    assert {lab.execute(host.name, shown) for host in lab.current().databases} == {
        "listen_addr = tcp\nsocket.ssl = YES\n"
    }
