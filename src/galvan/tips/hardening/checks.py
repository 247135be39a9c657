"""All checks of the tip's own, and what only a person can judge; the rooms bring theirs."""

from __future__ import annotations

from galvan.model import Manual
from galvan.tips.hardening import auditing, galera, limits, machine, owners, settings, wide

CHECKS = (
    *settings.CHECKS, *limits.CHECKS, *auditing.CHECKS, *owners.CHECKS, *machine.CHECKS, *galera.CHECKS, *wide.CHECKS,
)  # fmt: skip
MANUAL = (
    Manual(
        "hardening.people-outside", "People who come and go are known to a directory, and not to the server alone",
        "SELECT User, Host, plugin FROM mysql.user beside the list of staff: who is a person, and comes in by PAM, GSSAPI or LDAP", "AC-31",
        ("STIG MADB-10-000200",),
    ),
    Manual(
        "hardening.backups", "A backup was restored, and no member's administrator can delete it",
        "restore the last one on another host and compare; see where it lies, with whose credentials, and whether the option files are in it",
        "BK-01", ("CIS MariaDB 10.6 2.1.1", "CIS MariaDB 10.6 2.1.2", "CIS MariaDB 10.6 2.1.3"),
    ),
    Manual(
        "hardening.audit-read", "What the audit log says reaches somebody who reads it",
        "log in once with a wrong password, and ask who noticed and when", "AU-05", ("STIG MADB-10-012400",),
    ),
    Manual(
        "hardening.disk-alarm", "Somebody is called before the filesystem of the logs is full",
        "see the alarm's limit in the monitoring: three quarters of the filesystem that holds the audit log", "AU-06",
        ("STIG MADB-10-007400",),
    ),
    Manual(
        "hardening.events-known", "Each event of the server's scheduler is known, and runs as an account of its own",
        "SELECT EVENT_SCHEMA, EVENT_NAME, DEFINER, STATUS FROM information_schema.EVENTS, beside @@event_scheduler", "CF-16",
        ("STIG MADB-10-003200",),
    ),
    Manual(
        "hardening.other-services", "The host serves nothing but the database",
        "ss -ltnup and systemctl list-units --type=service --state=running, beside what the host's page says", "OS-08",
        ("CIS MariaDB 10.6 2.2",),
    ),
)  # fmt: skip
