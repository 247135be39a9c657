"""A member whose transfers are spoken otherwise than the others': what its file gets, and where nothing is given."""

from __future__ import annotations

from typing import Any

import pytest
from practice_cases import snapshot_of

from galvan.cluster import optionfile
from galvan.model import Unsafe
from galvan.tips.sst_tls.healing import file_for

OURS = "/etc/mysql/mariadb.conf.d/zz-galvan.cnf"
READ = f"version\t10.11\nfile\t/etc/mysql/my.cnf\ndir\t/etc/mysql/mariadb.conf.d\nfile\t{OURS}\n"
DOWN = "server.variables: the server's client could not ask"
CLEAR = ["--encrypt=4\n", "--encrypt=0\n"]


def healed(
    edit: list[list[str]] | None = None, own: str = "", down: str = "db2", config: str = ""
) -> dict[tuple[str, str], str]:
    """What Galvan's file of the member that is down says then."""
    said: dict[str, Any] = {"from": "sst-made", "edit": edit or [], "unreadable": [[down, "server.variables", DOWN]]}
    said["output"] = {down: {"host.own_config": own, "host.reading": READ}}
    if config:
        said["output"][down]["host.config"] = config
    snapshot = snapshot_of(said)
    others = [facts for facts in snapshot.hosts if facts.host.name != down]
    text = file_for(snapshot.of(down), others)
    return {key: entry.value for key, entry in optionfile.parse(text).items()}


def test_lines_that_somebody_took_away_come_back() -> None:
    gone = [["db2", "host.sst_config", "--encrypt=4\n", ""], ["db2", "host.sst_config", "--ssl-mode=VERIFY_CA\n", ""]]
    assert healed(gone) == {("sst", "encrypt"): "4", ("sst", "ssl-mode"): "VERIFY_CA"}


def test_what_else_galvan_wrote_stays() -> None:
    own = optionfile.render({("mysqld", "local_infile"): optionfile.Entry("OFF", "hardening", "why"),
                             ("sst", "encrypt"): optionfile.Entry("0", "sst_tls", "why")})  # fmt: skip
    found = healed([["db2", "host.sst_config", *CLEAR]], own)
    assert found == {("mysqld", "local_infile"): "OFF", ("sst", "encrypt"): "4"}


def test_lines_of_galvans_that_no_other_member_has_any_more_go() -> None:
    own = optionfile.render({("sst", "encrypt"): optionfile.Entry("4", "sst_tls", "why")})
    assert healed([["db1", "host.sst_config", "--encrypt=4\n", ""]], own) == {}


def test_lines_of_somebody_elses_are_not_touched() -> None:
    with pytest.raises(Unsafe, match=r"has encrypt in \[sst\] of a file that is not Galvan's"):
        healed([["db1", "host.sst_config", "--encrypt=4\n", ""]])


def test_nothing_is_given_where_nothing_differs() -> None:
    with pytest.raises(Unsafe, match="makes transfers as the others do"):
        healed()


def test_a_line_that_the_scripts_read_first_is_named() -> None:
    with pytest.raises(Unsafe, match=r"sets encrypt in \[mysqld\]"):
        healed(config="--encrypt=0\n--wsrep-sst-method=mariabackup\n")


def test_another_method_follows_the_others() -> None:
    found = healed(config="--wsrep-sst-method=rsync\n")
    assert found == {("mysqld", "wsrep_sst_method"): "mariabackup"}
