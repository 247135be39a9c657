"""The account of transfers on real hosts: from root's password in an open file to three rights and no password, and back exactly;
a forced transfer that looks on; and an account of old that is locked once the new one has proven itself. On 10.11 and 11.8."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from galvan import lab

from .operator import Operator, hashes, sit_down, synced

pytestmark = pytest.mark.lab
GRANTS = (
    'mariadb -N -e "SHOW GRANTS FOR mysql@localhost; SHOW GRANTS FOR root@localhost; SELECT * FROM mysql.proxies_priv" '
    "| sed 's/ USING .*//; s/ IDENTIFIED .*//'"
)
LOOK = {"stranger", "reads-no-table", "writes-no-file"}
FORCED = {"processes", "makes-no-account", "by-it"}
OLD = """
f=$(grep -lr '^wsrep_sst_auth' /etc/mysql | grep -v galvan)
sed -i 's/^wsrep_sst_auth.*/wsrep-sst-auth="sst:o#d:pass w0rd"  # by hand/' "$f"
mariadb -e "SET GLOBAL wsrep_sst_auth='sst:o#d:pass w0rd'"
"""


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def operator(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    lab.down()
    lab.up(release=request.param)
    yield Operator(sit_down(tmp_path_factory.mktemp("operator")).home, ("sst_account",))
    lab.down()


def seen() -> dict[str, str]:
    return hashes() | {f"{host.name} grants": lab.execute(host.name, GRANTS) for host in lab.current().databases}


def proofs(operator: Operator, *words: str, code: int | tuple[int, ...] = 0) -> dict[str, set[str]]:
    """Verdicts by the proof's name without its host."""
    found: dict[str, set[str]] = {}
    for proof in operator.json("verify", *words, code=code)["proofs"]:
        found.setdefault(proof["id"].split(".")[1].split("@")[0], set()).add(proof["verdict"])
    return found


def test_from_root_to_three_rights_and_back(operator: Operator) -> None:
    before = seen()
    assert operator.json("audit", code=(0, 4))["rungs"] == {"sst_account": "open"}
    assert proofs(operator, "--force-sst", "db3", code=(0, 3, 4)) == {key: {"fail"} for key in LOOK | FORCED}
    lab.start_load(writers=4)
    ended = operator.json("apply", "--auto-approve")
    forced = proofs(operator, "--force-sst", "db3")
    report = lab.stop_load()
    assert (report.failed, report.lost, report.equal) == (0, 0, True), report.errors
    assert set(ended["restarts_per_host"].values()) == {0}
    assert forced == {key: {"pass"} for key in LOOK | FORCED}
    assert synced()
    audit = operator.json("audit")
    assert audit["rungs"] == {"sst_account": "proven"}
    assert {f["check"] for f in audit["findings"] if f["verdict"] == "fail"} == {"sst_account.old-secret"}
    assert operator.json("apply", "--auto-approve")["waves_done"] == 0
    assert operator.json("rollback", "--auto-approve")["status"] == "done"
    assert seen() == before


def test_the_former_account_is_locked_once_the_new_one_has_proven_itself(operator: Operator) -> None:
    lab.execute(
        "db1",
        "mariadb -e \"CREATE USER sst@localhost IDENTIFIED BY 'o#d:pass w0rd'; GRANT ALL ON *.* TO sst@localhost\"",
    )
    for host in lab.current().databases:
        lab.execute(host.name, OLD)
    before = seen()
    operator.json("apply", "--auto-approve")
    audit = operator.json("audit")
    waits = [f["seen"] for f in audit["findings"] if f["check"] == "sst_account.old-account"]
    assert all("it waits for the next transfer with the new one" in said for said in waits)
    assert audit["rungs"] == {"sst_account": "ready"}
    assert operator.json("apply", "--auto-approve")["waves_done"] == 0
    lab.execute("db2", "mariadb -usst '-po#d:pass w0rd' -e 'SELECT 1'")
    proofs(operator, "--force-sst", "db3")
    assert operator.json("apply", "--auto-approve")["waves_done"] == 1
    refused = lab.execute("db2", "mariadb -usst '-po#d:pass w0rd' -e 'SELECT 1' 2>&1 || true")
    assert "4151" in refused, refused
    assert operator.json("audit")["rungs"] == {"sst_account": "enforced"}
    for _ in range(2):
        assert operator.json("rollback", "--auto-approve")["status"] == "done"
    lab.execute("db2", "mariadb -usst '-po#d:pass w0rd' -e 'SELECT 1'")
    assert seen() == before
