"""The account of transfers on real hosts: from root's password in an open file to three rights and no password, and back exactly;
a forced transfer that looks on; and an account of old that is locked once the new one has proven itself. The first on 10.11 and 11.8."""

from __future__ import annotations

import base64
import random
import shlex
from collections.abc import Iterator
from contextlib import suppress

import pytest

from galvan import lab
from galvan.cluster.transferauth import named
from galvan.model import BadInput

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


on_both = pytest.mark.parametrize("operator", ["bookworm", "trixie"], indirect=True)
on_one = pytest.mark.parametrize("operator", ["bookworm"], indirect=True)


@pytest.fixture(scope="module")
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


@on_both
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
    asked = "journalctl -u mariadb -o cat --no-pager | grep 'requested state transfer' | tail -n 1"
    assert "(db3) requested state transfer from 'db2,'" in lab.execute("db3", asked)  # db1 has the clients
    left = "mariadb -N -e 'SELECT @@wsrep_sst_donor'; systemctl show-environment | grep MYSQLD_OPTS || true"
    assert lab.execute("db3", left).strip() == ""
    audit = operator.json("audit")
    assert audit["rungs"] == {"sst_account": "proven"}
    assert {f["check"] for f in audit["findings"] if f["verdict"] == "fail"} == {"sst_account.old-secret"}
    assert operator.json("apply", "--auto-approve")["waves_done"] == 0
    assert operator.json("rollback", "--auto-approve")["status"] == "done"
    assert seen() == before


@on_one
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


SECRET = "my_print_defaults --mysqld | sed -n 's/^--wsrep_sst_auth=galvan_sst://p' | tail -n 1"
ENTERS = f"MYSQL_PWD=$({SECRET}) mariadb --no-defaults -ugalvan_sst -N -e 'SELECT CURRENT_USER()'"


def digests() -> set[str]:
    """Of the secret, as each member has it in its file, where nobody else reads it."""
    for host in lab.current().databases:
        assert (
            lab.execute(host.name, "stat -c '%a %U:%G' /etc/mysql/mariadb.conf.d/zz-galvan-sst.cnf").strip()
            == "640 root:mysql"
        )
        assert lab.execute(host.name, ENTERS).strip() == "galvan_sst@localhost"
    return {lab.execute(host.name, f"{SECRET} | sha256sum") for host in lab.current().databases}


def unsealed(said: dict[str, str]) -> dict[str, str]:
    """Without the key for which a host is sealed to, which stays, and without what was written down of changes that stay."""
    stays = ("/etc/galvan", "/var/lib/galvan/runs/")
    return {
        host: "\n".join(line for line in text.splitlines() if not any(word in line for word in stays))
        for host, text in said.items()
    }


@on_one
def test_a_password_is_made_changed_and_changed_again_after_a_kill(operator: Operator) -> None:
    before = seen()
    operator.govern("{sst: {account: password}}")
    made = operator.json("apply", "--auto-approve")
    assert made["status"] == "done"
    failing = {f["check"].partition(".")[2] for f in operator.json("audit")["findings"] if f["verdict"] == "fail"}
    assert failing <= {"old-account", "old-secret"}  # what was named before is open until a transfer has come
    first = digests()
    assert operator.json("rotate", "sst-secret", "--auto-approve")["status"] == "done"
    second = digests()
    killed = operator.start("rotate", "sst-secret", "--auto-approve", "--format", "json")
    assert killed.stdout
    for line in killed.stdout:
        if "transfers log in as galvan_sst with the new password" in line:
            break
    killed.kill()
    killed.wait()
    assert operator.run("rotate", "sst-secret", "--auto-approve").returncode == 5
    assert operator.json("resume")["status"] == "done"
    third = digests()
    assert [len(one) for one in (first, second, third)] == [1, 1, 1]
    assert len(first | second | third) == 3
    assert proofs(operator, "--force-sst", "db3", code=(0, 3, 4)) == {
        key: {"fail" if key == "processes" else "pass"} for key in LOOK | FORCED
    }  # the server hands the password to its script in an environment
    refused = operator.run("rollback", "--auto-approve")
    assert (refused.returncode, "is not changed back" in refused.stderr) == (5, True)
    assert operator.json("rollback", made["run"], "--auto-approve")["status"] == "done"
    assert unsealed(seen()) == unsealed(before)


ODD = " \t#;:'\"\\$`%!@=&|<>()[]{}*?~^,./-_+aZ09äé€\u00a0🔑"
SPLIT = r"""
eval "$(sed -n '/^trim_string()/,/^}/p; /^parse_cnf()/,/^}/p' /usr/bin/wsrep_sst_common)"
MY_PRINT_DEFAULTS=$(command -v my_print_defaults)
while IFS= read -r line; do
  printf '[mysqld]\n[sst]\nwsrep_sst_auth = %s\n' "$(printf %s "$line" | base64 -d)" >/tmp/odd.cnf
  WSREP_SST_OPT_DEFAULT=--defaults-file=/tmp/odd.cnf
  auth=$(parse_cnf 'sst' 'wsrep-sst-auth')
  printf '%s\n' "${auth%%:*}:${auth#*:}" | base64 -w0; echo
done
rm -f /tmp/odd.cnf
"""


def passwords() -> list[str]:
    """Of every odd sign, in odd places; some look like what an option file or the server would take for something else."""
    chance = random.Random(20261127)
    drawn = ["".join(chance.choice(ODD) for _ in range(chance.randint(1, 24))) for _ in range(400)]
    return [
        *drawn,
        "(null)",
        "a#b",
        "#",
        "a\\",
        "\\s",
        "\\n",
        "'a'",
        '"a"',
        "a:b:c",
        ":",
        "$(id)",
        "`id`",
        "%s",
        "-e",
        "!includedir /etc",
    ]


@on_both
def test_a_password_survives_the_option_file_and_the_servers_own_script(operator: Operator) -> None:
    given = {}
    for password in passwords():
        with suppress(BadInput):
            given[password] = named("sst", password)
    assert len(given) > 200
    lines = "".join(base64.b64encode(value.encode()).decode() + "\n" for value in given.values())
    script = f"bash -c {shlex.quote(SPLIT)} <<'@odd'\n{lines}@odd\n"
    said = [
        base64.b64decode(line).decode().removesuffix("\n")
        for line in lab.execute("db1", script, limit=120).splitlines()
    ]
    assert said == [f"sst:{password}" for password in given]
