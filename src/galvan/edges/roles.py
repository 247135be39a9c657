"""Which group of an inventory means which role: the names that people use, what galvan.yaml says, what a host says. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from galvan.model import BadInput, Role

NONE = "none"
KINDS = ("haproxy", "proxysql", "maxscale")
WORDS = (*(role.value for role in Role if role is not Role.LOAD_BALANCER), *KINDS, NONE)
"""What a group can mean; a load balancer is called by its kind."""
_USUAL = {
    "database": (
        "galera galera_all galera_cluster galera_node galera_nodes galera_server galera_servers mariadb mariadb_galera "
        "mariadb_server mariadb_servers mariadb_cluster mysql mysql_server mysql_servers mysqlservers pxc percona percona_xtradb_cluster db dbs "
        "database databases dbserver dbservers db_server db_servers database_server database_servers wsrep"
    ),
    "arbitrator": "arbitrator arbitrators garb garbd galera_arbitrator galera_arbitrators",
    "haproxy": "haproxy haproxies haproxy_servers lb lbs load_balancer load_balancers loadbalancer loadbalancers balancers",
    "proxysql": "proxysql proxysql_servers",
    "maxscale": "maxscale maxscale_servers",
    "application": (
        "app apps application applications appserver appservers app_server app_servers web webs webserver webservers "
        "web_servers frontend frontends"
    ),
    "replica": "replica replicas slave slaves async_replica async_replicas",
    "monitor": "monitor monitors monitoring pmm prometheus",
}  # fmt: skip
USUAL = {name: role for role, names in _USUAL.items() for name in names.split()}


def role_of(name: str, groups: frozenset[str], said: str, mapping: Mapping[str, str], file: str) -> str:
    """The host's own word (`galvan_role`), else what galvan.yaml says of its groups, else the usual names. A role that
    galvan.yaml gives to some group is taken from the usual names. `none`: not one of the cluster's hosts. Where
    several are left, the one that stands first in WORDS: a balancer on a database host is a database host."""
    if said:
        return _known(said, f"{file}: {name}: galvan_role")
    named = {mapping[group] for group in groups if group in mapping}
    if NONE in named:
        return NONE
    usual = {USUAL.get(group.lower().replace("-", "_"), NONE) for group in groups if group not in mapping}
    found = named or {role for role in usual if role not in mapping.values()}
    return next((word for word in WORDS if word in found), NONE)


def _known(said: str, where: str) -> str:
    if said not in WORDS:
        raise BadInput(f"{where}: {said!r} is not one of {', '.join(WORDS)}")
    return said


def split(word: str) -> tuple[Role, str]:
    """
    >>> split("haproxy")[1], split("database")[0].value
    ('haproxy', 'database')
    """
    return (Role.LOAD_BALANCER, word) if word in KINDS else (Role(word), "")
