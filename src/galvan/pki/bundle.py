"""What an application's host needs besides the files themselves: an option file for its client library."""

from __future__ import annotations

from galvan.pki.places import Place

_HEAD = """\
# Written by Galvan: how clients on this host reach the cluster over TLS.
# Use it with --defaults-extra-file={path}, read_default_file, or !include {path} at the end of /etc/my.cnf
[client]
"""


def option_file(place: Place, *, with_certificate: bool = True, mysql: bool = False) -> str:
    """The `[client]` section that trusts our authority and insists on the server's name.

    `with_certificate`: also show one's own certificate, which accounts with REQUIRE X509 ask for.
    `mysql`: for clients of MySQL and Percona; these stop at MariaDB's `ssl-verify-server-cert`, and MariaDB's stop at
    their `ssl-mode`, so that no one file serves both.
    """
    lines = [f"ssl-ca={place.ca}"]
    if with_certificate:
        lines += [f"ssl-cert={place.certificate}", f"ssl-key={place.key}"]
    lines.append("ssl-mode=VERIFY_IDENTITY" if mysql else "ssl-verify-server-cert")
    return _HEAD.format(path=place.option_file) + "\n".join(lines) + "\n"
