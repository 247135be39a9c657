"""What the `[sst]` section has to say so that transfers are encrypted and both ends show a certificate: by server and version.

Data out of the vendors' documentation and the scripts themselves. Run for real: MariaDB. The other two are tested as data.
"""

from __future__ import annotations

from collections.abc import Mapping

from galvan.cluster.dialects import Dialect
from galvan.cluster.health import series

FLOOR = "openssl-min-proto-version="


def section(
    dialect: Dialect, version: str, place: Mapping[str, str], min_tls: str, sockopt: str = "", floor: bool = True
) -> dict[str, str]:
    """`place`: `ca`, `cert`, `key`. `sockopt`: what stands there now; `floor`: this socat knows a least version of TLS.

    On MariaDB the two lines are for the two families of scripts: `encrypt=4` for mariabackup's, `ssl-mode` for rsync's, so
    that whichever a joiner asks for is encrypted. Empty where the server sees to it by itself (PXC since 8.0).
    """
    if dialect is Dialect.PXC:
        if series(version) >= (8, 0):
            return {}
        return {"encrypt": "4", "ssl-ca": place["ca"], "ssl-cert": place["cert"], "ssl-key": place["key"]}
    if dialect is Dialect.MYSQL:
        return {"ssl-mode": "VERIFY_CA", "ssl-ca": place["ca"], "ssl-cert": place["cert"], "ssl-key": place["key"]}
    wanted = {
        "encrypt": "4", "ssl-mode": "VERIFY_CA", "tca": place["ca"], "tcert": place["cert"], "tkey": place["key"],
    }  # fmt: skip
    if floor and FLOOR not in sockopt:
        wanted["sockopt"] = f"{sockopt},{FLOOR}{min_tls.replace('TLSv', 'TLS')}"
    return wanted
