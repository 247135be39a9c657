"""The table of versions against its sources: the configuration guide's sentences, and the specifications at the release tags."""

from __future__ import annotations

import pytest

from galvan.model import Unreadable
from galvan.tips.load_balancer.maxscale.versions import (
    Firewall,
    TlsVersions,
    ca_name,
    firewall,
    monitor_grants,
    parse_version,
    refuses_tls_accounts,
    replays_safely,
    said,
    service_tables,
    spoken,
    ssl_version,
    tls_versions,
)

LAST_ONLY = [(6, 4, 13), (22, 8, 11), (23, 2, 7), (23, 8, 3), (22, 8, 0), (23, 2, 0), (23, 8, 0)]
MINIMUM = [(6, 4, 14), (6, 4, 15), (22, 8, 12), (23, 2, 8), (23, 2, 9), (23, 8, 4), (23, 8, 5), (24, 2, 0), (24, 2, 1)]
LISTS = [(6, 4, 16), (21, 6, 16), (22, 8, 13), (23, 2, 10), (23, 8, 6), (24, 2, 2), (24, 8, 0), (25, 1, 1), (25, 10, 0)]


@pytest.mark.parametrize(
    ("version", "meaning"),
    [
        *((v, TlsVersions.ONLY) for v in LAST_ONLY),
        *((v, TlsVersions.MINIMUM) for v in MINIMUM),
        *((v, TlsVersions.LIST) for v in LISTS),
    ],
)
def test_the_three_meanings_of_ssl_version(version: tuple[int, int, int], meaning: TlsVersions) -> None:
    assert tls_versions(version) is meaning
    for least in ("TLSv1.2", "TLSv1.3"):
        written = ssl_version(version, least)
        assert min(spoken(version, written)) == least, "nothing older, and what is wanted is spoken"
        assert ("." in written) is (meaning is TlsVersions.LIST), "names with a dot are known where lists are"


def test_one_value_three_meanings() -> None:
    assert spoken((22, 8, 11), "TLSv12") == {"TLSv1.2"}
    assert spoken((22, 8, 12), "TLSv12") == {"TLSv1.2", "TLSv1.3"}
    assert spoken((22, 8, 13), "TLSv1.2") == {"TLSv1.2"}
    assert "TLSv1.0" in spoken((25, 10, 0), "MAX") & spoken((25, 10, 0), "")


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ((6, 4, 9), Firewall.DBFW),
        ((21, 6, 18), Firewall.DBFW),
        ((22, 8, 0), Firewall.REGEX),
        ((25, 1, 4), Firewall.REGEX),
        ((25, 10, 0), Firewall.MODULE),
    ],
)
def test_which_filter_there_is(version: tuple[int, int, int], kind: Firewall) -> None:
    assert firewall(version) is kind


def test_small_differences() -> None:
    assert (ca_name((6, 4, 9)), ca_name((22, 8, 0))) == ("ssl_ca_cert", "ssl_ca")
    refusing = [(21, 6, 18), (22, 8, 15), (23, 2, 12), (23, 8, 8), (24, 2, 4), (24, 8, 1), (25, 1, 0), (25, 10, 0)]
    assert all(map(refuses_tls_accounts, refusing))
    assert not any(
        map(refuses_tls_accounts, [(22, 8, 14), (23, 2, 11), (23, 8, 7), (24, 2, 3), (24, 8, 0), (22, 8, 0)])
    )
    assert [v for v in (*refusing, (25, 1, 1)) if replays_safely(v)] == [
        (23, 8, 8),
        (24, 2, 4),
        (25, 10, 0),
        (25, 1, 1),
    ]


def test_grants() -> None:
    assert monitor_grants((10, 11, 19)) == ("SLAVE MONITOR",)
    assert monitor_grants((10, 4, 30)) == monitor_grants((8, 0, 36), mariadb=False) == ("REPLICATION CLIENT",)
    assert "global_priv" in service_tables((10, 4, 0))
    assert "global_priv" not in service_tables((10, 3, 39))
    assert "roles_mapping" not in service_tables((8, 0, 36), mariadb=False)


def test_a_version_as_it_is_printed() -> None:
    assert said(parse_version("MaxScale 22.08.11 - 1c1c1d57f5d7a4b0")) == "22.08.11"
    with pytest.raises(Unreadable):
        parse_version("sh: maxscale: not found")
