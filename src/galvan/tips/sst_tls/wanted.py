"""What the `[sst]` section has to say so that transfers are encrypted and both ends show a certificate: by server and version.

Data out of the vendors' documentation and the scripts themselves. Run for real: MariaDB. The other two are tested as data.
"""

from __future__ import annotations

from collections.abc import Mapping

from galvan.cluster.dialects import Dialect
from galvan.cluster.health import series

FLOOR = "openssl-min-proto-version="
FIXED = {(10, 6): 28, (10, 11): 19, (11, 4): 13, (11, 8): 9, (12, 3): 3}
"""The first version of each series whose scripts end where TLS was asked for and cannot be had (MDEV-28233)."""


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


def falls_back(version: str) -> bool:
    """Do the scripts of this MariaDB go on in clear text where stunnel or the certificate is missing?

    >>> falls_back("10.11.18-MariaDB"), falls_back("10.11.19-MariaDB-0+deb12u1"), falls_back("11.2.5"), falls_back("12.4.0")
    (True, False, True, False)
    """
    bare = version.split("-", 1)[0]
    train, patch = series(bare), [*bare.split("."), "0", "0"][2]
    if train in FIXED:
        return not patch.isdigit() or int(patch) < FIXED[train]
    return train < max(FIXED)
