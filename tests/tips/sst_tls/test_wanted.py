"""What `[sst]` has to say, for servers that were not run as well: data, held against what their documentation says."""

from __future__ import annotations

import pytest

from galvan.cluster import optionfile
from galvan.cluster.dialects import Dialect
from galvan.cluster.transfer import falls_back
from galvan.tips.sst_tls.wanted import section

PLACE = {
    "ca": "/etc/mysql/galvan/cluster/ca.pem",
    "cert": "/etc/mysql/galvan/cluster/cert.pem",
    "key": "/etc/mysql/galvan/cluster/key.pem",
}


def said(dialect: Dialect, version: str, **more: object) -> dict[str, str]:
    return section(dialect, version, PLACE, "TLSv1.2", **more)  # type: ignore[arg-type]


def test_mariadb_is_told_for_both_families_of_scripts() -> None:
    wanted = said(Dialect.MARIADB, "10.11.19")
    assert (wanted["encrypt"], wanted["ssl-mode"]) == ("4", "VERIFY_CA")
    assert (wanted["tca"], wanted["tcert"], wanted["tkey"]) == (PLACE["ca"], PLACE["cert"], PLACE["key"])


@pytest.mark.parametrize(
    ("there", "after"),
    [
        ("", ",openssl-min-proto-version=TLS1.2"),
        (",pf=ip6", ",pf=ip6,openssl-min-proto-version=TLS1.2"),
        ("retry=2,interval=3", "retry=2,interval=3,openssl-min-proto-version=TLS1.2"),
    ],
)
def test_what_socat_was_told_stays(there: str, after: str) -> None:
    assert said(Dialect.MARIADB, "10.11.19", sockopt=there)["sockopt"] == after


def test_a_floor_of_the_owners_own_stays_and_an_older_socat_is_told_none() -> None:
    assert "sockopt" not in said(Dialect.MARIADB, "10.11.19", sockopt=",openssl-min-proto-version=TLS1.3")
    assert "sockopt" not in said(Dialect.MARIADB, "10.4.34", floor=False)


def test_percona_sees_to_it_since_8_0_and_takes_no_line_that_it_would_stumble_over() -> None:
    assert said(Dialect.PXC, "8.0.36") == {} == said(Dialect.PXC, "8.4.2")
    assert said(Dialect.PXC, "5.7.44") == {
        "encrypt": "4", "ssl-ca": PLACE["ca"], "ssl-cert": PLACE["cert"], "ssl-key": PLACE["key"],
    }  # fmt: skip


def test_mysql_wsrep_is_told_to_verify() -> None:
    assert said(Dialect.MYSQL, "8.0.36")["ssl-mode"] == "VERIFY_CA"
    assert "encrypt" not in said(Dialect.MYSQL, "8.0.36")


@pytest.mark.parametrize("dialect", Dialect)
def test_every_value_survives_an_option_file(dialect: Dialect) -> None:
    for value in said(dialect, "5.7.44" if dialect is Dialect.PXC else "10.11.19").values():
        assert optionfile.unquoted(optionfile.quoted(value)) == value


@pytest.mark.parametrize(
    ("version", "wrong"),
    [
        ("10.6.27", True), ("10.6.28", False), ("10.11.19-MariaDB-0+deb12u1", False), ("10.5.29", True), ("11.4.12", True),
        ("11.4.13", False), ("11.8.9", False), ("11.7.2", True), ("12.3.3", False), ("12.3.2", True), ("13.0.1", False),
    ],
)  # fmt: skip
def test_which_scripts_fall_back_to_clear_text(version: str, wrong: bool) -> None:
    assert falls_back(version) is wrong
