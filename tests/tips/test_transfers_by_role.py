"""Lines that few know of: a certificate for one end of a transfer, and the groups that mariabackup's script reads after [sst]."""

from __future__ import annotations

from typing import Any

import pytest
from practice_cases import snapshot_of

from galvan.cluster.transfer import End, pin, spoken
from galvan.engine.audit import audit
from galvan.model import Blind, Rung, Setting, Snapshot, Verdict
from galvan.tips import TIPS

TIP = next(tip for tip in TIPS if tip.id == "sst_tls")
HOSTS = ("db1", "db2")
FIT = "ca=/etc/ssl/shop.pem\ncert=/etc/ssl/{end}.pem\nkey=/etc/ssl/{end}.key\nreadable=yes\nfits=yes\nsslserver=yes\nsslclient=yes\n"
ROLES = "".join(
    f"--ssl-{role}-{part}=/etc/ssl/{file}\n"
    for role, end in (("server", "joiner"), ("client", "donor"))
    for part, file in (("ca", "shop.pem"), ("cert", f"{end}.pem"), ("key", f"{end}.key"))
)


def seen(edit: list[list[str]], base: str = "sst-open") -> Snapshot:
    said: dict[str, Any] = {"from": base, "edit": edit, "output": {}}
    return snapshot_of(said)


def with_roles(*hosts: str) -> Snapshot:
    edit = [[host, "host.sst_config", "--encrypt=4\n", f"--encrypt=0\n{ROLES}"] for host in hosts]
    edit += [[host, "host.sst_config", "VERIFY_CA", "DISABLED"] for host in hosts]
    edit += [
        [host, "sst.fit", "ca=/etc", FIT.format(end=end) + "ca=/etc"] for host in hosts for end in ("joiner", "donor")
    ]
    return seen(edit, "sst-made")


def planned(snapshot: Snapshot) -> list[Setting]:
    failing = [found for found in audit(snapshot, (TIP,)) if found.verdict is Verdict.FAIL]
    return [made for made in TIP.mend(failing, snapshot, Rung.READY) if isinstance(made, Setting)]


def test_each_end_shows_what_is_named_for_it() -> None:
    joiner, donor = spoken(with_roles("db1").of("db1")).ends
    assert joiner == End("/etc/ssl/shop.pem", "/etc/ssl/joiner.pem", "/etc/ssl/joiner.key")
    assert donor == End("/etc/ssl/shop.pem", "/etc/ssl/donor.pem", "/etc/ssl/donor.key")


def test_such_certificates_are_the_owners_and_stay() -> None:
    """No authority of Galvan's is asked for, and no line is written that the scripts would not heed."""
    made = planned(with_roles(*HOSTS))
    assert {(setting.host, setting.name, setting.value) for setting in made} == {
        (host, *line) for host in HOSTS for line in (("encrypt", "4"), ("ssl-mode", "VERIFY_CA"))
    }


def test_they_are_named_on_every_member_or_on_none() -> None:
    with pytest.raises(Blind, match="db1 with certificates of your own"):
        planned(with_roles("db1"))


def test_one_end_alone_is_not_enough() -> None:
    lines = "".join(line for line in ROLES.splitlines(keepends=True) if "client" in line)
    edit = [[host, "host.sst_config", "", lines] for host in HOSTS]
    edit += [[host, "sst.fit", "ca=", FIT.format(end="donor") + "ca="] for host in HOSTS]
    with pytest.raises(Blind, match="no certificate and key are named for its end as the joiner"):
        planned(seen(edit))


@pytest.mark.parametrize("line", ["--ssl-mode=VERIFY_CA\n", "--encrypt=4\n"])
def test_what_mariabackups_group_says_is_not_pinned_to_clear_text(line: str) -> None:
    """A line in [sst] is read before it: with `ssl-mode=DISABLED` there, transfers that were encrypted would be no longer."""
    assert [*pin(seen([["db1", "host.backup_config", "", line]]).of("db1"), "client_tls")] == []
    assert [setting.value for setting in pin(seen([]).of("db1"), "client_tls")] == ["DISABLED"]


def test_rsync_is_pinned_whatever_mariabackups_group_says() -> None:
    turned = ["db1", "server.variables", "wsrep_sst_method\tmariabackup", "wsrep_sst_method\trsync"]
    facts = seen([turned, ["db1", "host.backup_config", "", "--encrypt=4\n"]]).of("db1")
    assert [setting.value for setting in pin(facts, "client_tls")] == ["DISABLED"]
