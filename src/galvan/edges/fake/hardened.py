"""A host in memory is hard already: what the tip `hardening` would change is not what the engine's logic is tried with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from galvan.edges.fake.machines import Machine
from galvan.edges.fake.people import PEOPLE

if TYPE_CHECKING:
    from galvan.edges.fake import Fake

_HOST = {
    "hardening.counted": "Com_load\t0\nServer_audit_active\tON\nServer_audit_writes_failed\t0\nUptime\t4000\n",
    "hardening.plugins": (
        "SERVER_AUDIT\tACTIVE\tAUDIT\tFORCE_PLUS_PERMANENT\tserver_audit.so\n"
        "simple_password_check\tACTIVE\tPASSWORD VALIDATION\tON\tsimple_password_check.so\n"
    ),
    "hardening.schemas": "",
    "hardening.runtime": "",
    "hardening.machine": (
        "servers=1\naccount=/bin/false\ngroups=mysql\nsudo=\nuser=mysql\nno_new_privileges=0\ncapabilities=00000000a02415fb\nseccomp=2\n"
        "own_mounts=yes\nunit=mariadb.service\nlinks=\narguments=\nenvironment=\nshown=\nshippers=\njournal=lasting\nfips=\ncontainer=yes\n"
        "synchronised=no\n"
    ),
    "hardening.files": (
        "tag\tdata\t/var/lib/mysql\ntag\texchange\t/var/lib/mysql-files\nstat\t750\tmysql\tmysql\tdirectory\t/\t/var/lib/mysql-files\ntag\tplugins\t/usr/lib/mysql/plugin\nlibrary\tserver_audit\nlibrary\tsimple_password_check\n"
        "stat\t755\troot\troot\tdirectory\t/\t/usr/lib/mysql/plugin\nstat\t750\tmysql\tmysql\tdirectory\t/\t/var/lib/mysql\n"
    ),
}
_HOST["hardening.modes"] = _HOST["hardening.files"]
_NOT_ENCRYPTED = {
    "hardening.at_rest_tables": "1\t0\t0\t12\t0\tinnodb_system\t\t\t0\tOFF\t0\t\n",
    "hardening.at_rest_files": "named=\n",
    "hardening.at_rest_disk": "redo=80\nbeneath=\nbinlogs=0\n",
    "hardening.at_rest_clear": "all\n",
}


def _always(said: str) -> Callable[[Fake, Machine], str]:
    return lambda fake, machine: said


OTHERS: Mapping[str, Callable[[Fake, Machine], str]] = {
    **{fact: _always(said) for fact, said in {**_HOST, **_NOT_ENCRYPTED}.items()},
    **PEOPLE,
}
