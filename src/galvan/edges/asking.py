"""A statement that a server should refuse, and what its answer means. Pure; `edges.prober` carries it there and back."""

from __future__ import annotations

import re

from galvan.edges.script import CLIENT, FIND_SOCKET
from galvan.model import Outcome, Question, Trial

_ERROR = re.compile(r"^ERROR (\d+) .*", re.MULTILINE)

_AS_TRANSFER = (
    r"""v=$(my_print_defaults --mysqld sst 2>/dev/null | sed -n 's/^--\(loose[-_]\)*wsrep[-_]sst[-_]auth=//Ip' | tail -n 1)
d=$(my_print_defaults --mysqld 2>/dev/null | sed -n 's/^--datadir=//p' | tail -n 1); u=$(stat -c %U "${d:-/var/lib/mysql}")
"""
    + FIND_SOCKET
    + r"""
[ -z "${v#*:}" ] || { MYSQL_PWD=${v#*:}; export MYSQL_PWD; }
setpriv --reuid "$u" --regid "$(id -g "$u")" --init-groups $(command -v mariadb || command -v mysql) --no-defaults \
  --socket="${s:-/run/mysqld/mysqld.sock}" --user="${v%%:*}" -N -B --connect-timeout=5 --loose-disable-ssl-verify-server-cert"""
)
"""The password goes from the option file into the environment of one process of the server's own user, who may read that file anyway."""


def script(asked: Question) -> str:
    """The client itself takes part in LOAD DATA LOCAL: what some [client] section forbids it would look like a refusal."""
    if asked.as_transfer:
        return f"{_AS_TRANSFER} <<'@sql'\n{asked.statement};\nSELECT 'answered';\n@sql\n"
    return f"{FIND_SOCKET}\n{CLIENT} --local-infile=1 <<'@sql'\n{asked.statement};\nSELECT 'answered';\n@sql\n"


def answer(asked: Question, said: str) -> Trial:
    """
    >>> question = Question("db1", "SELECT 1", frozenset({1290}), frozenset({1146}))
    >>> answer(question, "ERROR 1290 (HY000) at line 1: no\\n").outcome.value
    'refused'
    >>> answer(question, "ERROR 2002 (HY000): Can't connect\\n").outcome.value
    'dead'
    """
    if error := _ERROR.search(said):
        number = int(error[1])
        if number in asked.refusals:
            return Trial(Outcome.REFUSED, error[0])
        return Trial(Outcome.ACCEPTED if number in asked.through else Outcome.DEAD, error[0])
    answered = said.rstrip().endswith("answered")
    return Trial(Outcome.ACCEPTED if answered else Outcome.DEAD, "carried out" if answered else said.strip()[-200:])
