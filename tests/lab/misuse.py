"""What a database server must not do, tried on a guest through the server itself."""

from __future__ import annotations

import shlex

from galvan import lab

from .operator import synced, wait

GROUND = (
    "mkdir -p /srv/misuse; chmod 777 /srv/misuse; rm -f /srv/misuse/*; echo taken >/etc/misuse; chmod 644 /etc/misuse; "
    "printf '#!/bin/sh\\ncat /etc/misuse >/srv/misuse/shell\\n' >/srv/misuse/run; chmod 755 /srv/misuse/run"
)
HOST = "db2"


def sql(statement: str) -> str:
    return lab.execute(HOST, f"mariadb -N -B -e {shlex.quote(statement)} 2>&1; true")


def reads_secrets() -> bool:
    return "taken" in sql("SELECT LOAD_FILE('/etc/misuse')")


def loads_secrets() -> bool:
    sql(
        "CREATE DATABASE IF NOT EXISTS misuse; CREATE OR REPLACE TABLE misuse.t (a TEXT); LOAD DATA INFILE '/etc/misuse' INTO TABLE misuse.t"
    )
    return "taken" in sql("SELECT a FROM misuse.t")


def writes_outside() -> bool:
    sql("SELECT 'x' INTO OUTFILE '/srv/misuse/out'")
    return "out" in lab.execute(HOST, "ls /srv/misuse").split()


def runs_what_it_likes() -> bool:
    """The server runs this command whenever its state changes; the shell itself is one that its transfers need. It takes the name
    at its start only (since CVE-2021-27928), so whoever asks for it has an option file in his hands."""
    lab.execute(
        HOST,
        "systemctl set-environment MYSQLD_OPTS=--wsrep-notify-cmd=/srv/misuse/run; systemctl restart mariadb; systemctl unset-environment MYSQLD_OPTS",
        limit=600,
    )
    wait(synced, 300)
    return "shell" in lab.execute(HOST, "ls /srv/misuse").split()
