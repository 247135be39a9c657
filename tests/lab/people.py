"""Accounts such as grow over the years, and what a server says of all of its accounts. The hashes stay in the lab."""

from __future__ import annotations

from galvan import lab

ALL = (
    "SELECT CONCAT('SHOW CREATE USER ', QUOTE(User), '@', QUOTE(Host), ';SHOW GRANTS FOR ', QUOTE(User), '@', QUOTE(Host), ';') "
    "FROM mysql.global_priv WHERE Host <> '' ORDER BY User, Host"
)  # fmt: skip
CLIENT = "mariadb --default-character-set=utf8mb4 -N -B"
SHOW = f"set -e; {CLIENT} -r -e \"{ALL}\" | {CLIENT} -r --force; {CLIENT} -e 'SELECT User, Host FROM mysql.global_priv ORDER BY 1, 2'"
PLUGIN = "mariadb -e \"INSTALL SONAME 'auth_ed25519'\" 2>/dev/null || true"  # is not replicated

HARMLESS = """
CREATE USER web@'10.8.0.0/255.255.0.0' IDENTIFIED VIA ed25519 USING PASSWORD('a long one that nobody guesses');
CREATE USER ann@localhost IDENTIFIED VIA unix_socket;
CREATE USER 'we''ird"na`me\\\\%_ü'@'10.0.%' IDENTIFIED BY 'xK2-nobody-guesses-9';
CREATE USER gone@'%' ACCOUNT LOCK;
CREATE USER sleeping@'10.8.%' IDENTIFIED VIA ed25519 USING PASSWORD('another long one') PASSWORD EXPIRE;
CREATE ROLE reader;
CREATE ROLE boss;
GRANT SELECT ON app.* TO reader;
GRANT SELECT, INSERT ON app.* TO web@'10.8.0.0/255.255.0.0';
GRANT SELECT ON app.* TO 'we''ird"na`me\\\\%_ü'@'10.0.%';
GRANT SELECT (seq), UPDATE (payload) ON app.ledger TO sleeping@'10.8.%';
GRANT reader TO web@'10.8.0.0/255.255.0.0';
SET DEFAULT ROLE reader FOR web@'10.8.0.0/255.255.0.0';
GRANT SELECT ON app.* TO PUBLIC;
"""
"""A tool that looked for an empty column `password` dropped every one of them (dev-sec/ansible-collection-hardening#444)."""

CARELESS = """
CREATE USER ''@localhost;
CREATE USER ''@'%';
CREATE USER nopw@'%';
CREATE USER root@'%' IDENTIFIED BY 'a password for root';
CREATE USER legacy@'10.8.%' IDENTIFIED BY 'legacy123';
CREATE USER boss@'10.8.%' IDENTIFIED BY 'secret';
CREATE USER exporter@localhost IDENTIFIED VIA ed25519 USING PASSWORD('an exporter''s');
CREATE USER nightly@localhost IDENTIFIED VIA ed25519 USING PASSWORD('a nightly job''s');
CREATE USER feeder@'10.8.%' IDENTIFIED VIA ed25519 USING PASSWORD('a replica''s');
CREATE USER wild@'10.8.%' IDENTIFIED VIA ed25519 USING PASSWORD('wild''s');
CREATE USER tables@'10.8.%' IDENTIFIED VIA ed25519 USING PASSWORD('tables''');
GRANT ALL ON app.* TO nopw@'%';
GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;
GRANT SELECT, FILE, PROCESS, SUPER, SHUTDOWN, CREATE USER, RELOAD, REPLICATION SLAVE ON *.* TO legacy@'10.8.%' WITH GRANT OPTION;
GRANT ALL ON app.* TO legacy@'10.8.%' WITH GRANT OPTION;
GRANT FILE ON *.* TO boss;
GRANT boss TO boss@'10.8.%';
GRANT PROCESS, BINLOG MONITOR, SELECT, SUPER ON *.* TO exporter@localhost;
GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR, SHUTDOWN ON *.* TO nightly@localhost;
GRANT REPLICATION SLAVE, SUPER ON *.* TO feeder@'10.8.%';
GRANT SELECT, DROP ON `%`.* TO wild@'10.8.%';
GRANT INSERT ON mysql.func TO tables@'10.8.%';
CREATE PROCEDURE app.careless() SELECT 1;
CREATE DEFINER = nobody@nowhere SQL SECURITY DEFINER VIEW app.orphan AS SELECT 1;
"""
POLICY = "{hardening: {applications: [legacy], monitors: [exporter], backups: [nightly], replication: [feeder]}}"


def plant(*texts: str) -> None:
    for host in lab.current().databases:
        lab.execute(host.name, PLUGIN)
    for text in texts:
        lab.execute("db1", f"mariadb --default-character-set=utf8mb4 <<'EOF'\n{text}\nEOF")


def shown(host: str) -> str:
    return lab.execute(host, SHOW)
