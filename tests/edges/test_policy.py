"""Windows, budgets and backups as galvan.yaml spells them: strictly, and with the line that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from galvan.edges.inventory import load
from galvan.edges.policy import attested, window
from galvan.model import Backup, BadInput, Budget, Control, Hardening, Opening, Severity, Walls

HOSTS = "cluster: shop\nhosts:\n  db1: {role: database, address: 10.0.0.1}\n"


def policy(folder: Path, text: str) -> object:
    file = folder / "galvan.yaml"
    file.write_text(f"{HOSTS}policy:\n  {text}\n")
    return load(file).policy


@pytest.mark.parametrize(
    ("text", "days", "begin", "end"),
    [
        ("Sat 22:00-04:00 Europe/Berlin", {5}, 1320, 240),
        ("Mon-Fri 01:00-03:30 UTC", {0, 1, 2, 3, 4}, 60, 210),
        ("Fri-Mon 00:00-24:00 UTC", {4, 5, 6, 0}, 0, 1440),
        ("Tue,Thu 02:00-04:00 UTC", {1, 3}, 120, 240),
        ("daily 02:00-04:00 America/New_York", {0, 1, 2, 3, 4, 5, 6}, 120, 240),
    ],
)
def test_a_window(text: str, days: set[int], begin: int, end: int) -> None:
    read = window(text)
    assert (read.days, read.begin, read.end, read.text) == (days, begin, end, text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Sat 22:00-04:00", "and the time zone"),
        ("sat 22:00-04:00 UTC", "'sat' is no day"),
        ("Sat 22:00-25:00 UTC", "between 00:00 and 24:00"),
        ("Sat 24:00-04:00 UTC", "between 00:00 and 24:00"),
        ("Sat 2:00-04:00 UTC", "is no window"),
        ("Sat 04:00-04:00 UTC", "begins and ends at the same time"),
        ("Sat 22:00-04:00 Middle/Earth", "knows no time zone 'Middle/Earth'"),
        ("Sat 22:00-04:00 ../../etc/passwd", "knows no time zone"),
    ],
)
def test_what_is_no_window(text: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        window(text)


def test_all_three_in_a_file(tmp_path: Path) -> None:
    read = policy(tmp_path, 'window: "Sat 22:00-04:00 UTC"')
    assert [w.text for w in read.window] == ["Sat 22:00-04:00 UTC"]  # type: ignore[attr-defined]
    read = policy(tmp_path, 'window: ["Sat 22:00-04:00 UTC", "Sun 22:00-04:00 UTC"]')
    assert len(read.window) == 2  # type: ignore[attr-defined]
    read = policy(tmp_path, "budget: {flow_control: 0.2, p99_ms: 250}")
    assert read.budget == Budget(0.2, 250.0)  # type: ignore[attr-defined]
    read = policy(tmp_path, "backup: {max_age_days: 7, attested: 2026-11-20, by: Ann}")
    assert read.backup == Backup(7, "2026-11-20", "Ann")  # type: ignore[attr-defined]
    assert policy(tmp_path, "backup: {max_age_days: 7}").backup == Backup(7)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('window: "Sat"', r"galvan.yaml line 5: policy.window: 'Sat' is no window"),
        ('window: ["Sat 22:00-04:00 UTC", "never"]', r"policy.window\[1\]: 'never' is no window"),
        ("budget: {}", "a budget needs a limit"),
        ("budget: {flow_control: 20}", "a share of time"),
        ("budget: {p50: 20}", "unknown field"),
        ("backup: {attested: 2026-11-20, by: Ann}", "needs max_age_days"),
        ("backup: {max_age_days: 7, attested: 2026-11-20}", "attested and by together"),
        ("backup: {max_age_days: 7, attested: 2026-11-31, by: Ann}", "'2026-11-31' is no day"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        policy(tmp_path, text)


@pytest.mark.parametrize("text", ["Ann", "2026-11-20", "Ann, yesterday", ", 2026-11-20"])
def test_an_attestation_says_who_and_when(text: str) -> None:
    with pytest.raises(BadInput):
        attested(text)


def test_walls_in_a_file(tmp_path: Path) -> None:
    assert policy(tmp_path, "min_tls: TLSv1.2").firewall == Walls()  # type: ignore[attr-defined]
    text = (
        "firewall: {operators: [192.0.2.0/24, 198.51.100.7], applications: [fd00::/64], interface: eth1, own_address: yes, "
        "new_per_second: 50, allowlist: false, backend: iptables, also: [{port: 9100, from: [10.0.9.0/24], hosts: [db1]}]}"
    )
    read = policy(tmp_path, text).firewall  # type: ignore[attr-defined]
    assert read.operators == ("192.0.2.0/24", "198.51.100.7/32")
    assert (read.applications, read.interface, read.own_address) == (("fd00::/64",), "eth1", True)
    assert (read.new_per_second, read.allowlist, read.backend) == (50, False, "iptables")
    assert read.also == (Opening(9100, ("10.0.9.0/24",), "tcp", ("db1",)),)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{operators: [192.0.2.0/24, 192.0.2.7]}", r"operators\[1\]: 192.0.2.7 and 192.0.2.0/24 overlap: name the wider one alone"),
        ("{operators: []}", "operators: names no network: leave it out, or name one"),
        ("{operators: [192.0.2.1/24]}", r"operators\[0\]: '192.0.2.1/24' is no network .*host bits set.*; as in 10.0.3.0/24"),
        ("{operators: [office]}", "'office' is no network"),
        ("{operators: 192.0.2.0/24}", "operators: expected a list"),
        ("{monitors: [fd00::/64, fd00::1]}", "overlap"),
        ("{also: [{port: 9100}]}", r"also\[0\]: an opening needs from, as in"),
        ("{also: [{port: 0, from: [10.0.0.1]}]}", "port: a port is a number from 1 to 65535"),
        ("{also: [{port: 70000, from: [10.0.0.1]}]}", "port: a port is a number from 1 to 65535"),
        ("{also: [{port: 22, from: [10.0.0.1], protocol: icmp}]}", "'icmp' is not one of tcp, udp"),
        ("{also: [{port: 22, form: [10.0.0.1]}]}", "form: unknown field; known here: port, from"),
        ("{operator: [192.0.2.0/24]}", "operator: unknown field; known here: operators"),
        ("{interface: 'eth0; reboot'}", "interface: .* cannot stand here; for example: eth0"),
        ("{new_per_second: many}", "new_per_second: 'many' is no number"),
        ("{backend: pf}", "backend: 'pf' is not one of auto, nftables"),
        ("{allowlist: maybe}", "allowlist: 'maybe' is neither true nor false"),
    ],
)  # fmt: skip
def test_walls_that_cannot_be_meant(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(BadInput, match=r"galvan.yaml line 5: policy\.firewall.*" + told):
        policy(tmp_path, f"firewall: {text}")


def test_controls_and_a_profile(tmp_path: Path) -> None:
    assert policy(tmp_path, "window: []").profile == "baseline"  # type: ignore[attr-defined]
    read = policy(
        tmp_path,
        'profile: strict\n  controls: {a.b: off, a.c: "on", a.d: {severity: low, reason: why}, a.e: {state: off}}',
    )
    assert read.profile == "strict"  # type: ignore[attr-defined]
    assert read.controls == (  # type: ignore[attr-defined]
        Control("a.b", asked=False), Control("a.c", asked=True), Control("a.d", severity=Severity.LOW, reason="why"),
        Control("a.e", asked=False),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("profile: paranoid", "'paranoid' is not one of baseline, strict"),
        ("controls: {a.b: maybe}", r"line 5: policy\.controls\.a\.b: 'maybe' is not one of on, off"),
        ("controls: {a.b: {severity: grave}}", "'grave' is not one of info, low, medium, high, critical"),
        ("controls: {a.b: {reason: why}}", r"needs state \(on, off\) or severity"),
        ("controls: {a.b: {severty: low}}", "unknown field; known here: state, severity, reason"),
        ("controls: {a.b: off, a.b: on}", "given twice"),
        ("controls: [a.b]", "`name: value` lines"),
    ],
)
def test_what_is_no_control(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        policy(tmp_path, text)


@pytest.mark.parametrize("until", ["2027-02-30", "soon", "2027-1-31"])
def test_a_risk_is_accepted_until_a_day_of_the_calendar(tmp_path: Path, until: str) -> None:
    file = tmp_path / "galvan.yaml"
    file.write_text(f'{HOSTS}accept:\n- {{check: a.b, reason: r, owner: o, until: "{until}"}}\n')
    with pytest.raises(BadInput, match=rf"line 5: accept\[0\]\.until: '{until}' is no day; as in 2026-11-20"):
        load(file)


def test_which_accounts_are_there_for_what(tmp_path: Path) -> None:
    said = "hardening: {administrators: [ann, \"'dba'@'10.0.9.%'\"], applications: [shop], unused_days: 0}"
    assert policy(tmp_path, said).hardening == Hardening(  # type: ignore[attr-defined]
        administrators=("ann", "'dba'@'10.0.9.%'"), applications=("shop",), unused_days=0
    )


def test_what_hardening_is_asked_for(tmp_path: Path) -> None:
    said = "hardening: {audit: syslog, audit_exclude: [galvan-health, clustercheck], password_length: 16, password_errors: 100, fips: true}"
    assert policy(tmp_path, said).hardening == Hardening(  # type: ignore[attr-defined]
        audit="syslog",
        audit_exclude=("galvan-health", "clustercheck"),
        password_length=16,
        password_errors=100,
        fips=True,
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{audit: printer}", "printer"), ("{password_length: 7}", "between 8 and 1000"), ("{audit_exclude: [\"x'; y\"]}", "cannot stand here"),
        ("{password_errors: 0}", "between 1 and"), ("{adit: file}", "adit"),
    ],
)  # fmt: skip
def test_what_hardening_cannot_be_asked_for(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        policy(tmp_path, f"hardening: {text}")
