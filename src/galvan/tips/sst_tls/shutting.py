"""How a script stops being run, so that the next upgrade of its package does not bring it back; and how it is run again.

Where dpkg keeps a list of modes of the owner's own, that list is the way. Elsewhere a unit of systemd takes the right to run
away again whenever the file is written.
"""

from __future__ import annotations

from galvan.cluster.quote import sh
from galvan.model import Shell

_DPKG = """
if said=$(dpkg-statoverride --list {{real}}); then
  case $said in "root root {{shut}} "*) ;; *) echo "dpkg already has a mode for it, which is left alone: $said" >&2; exit 1;; esac
else
  dpkg-statoverride --add root root {{shut}} {{real}}
fi
chown root:root {{real}} && chmod {{shut}} {{real}}
"""
_NO_DPKG = """
case $(dpkg-statoverride --list {{real}}) in "root root {{shut}} "*) dpkg-statoverride --remove {{real}};; esac
chmod {{mode}} {{real}}
"""
_WATCH = """
cat >{{service}}.new <<'END'
# Written by Galvan (sst_tls): no transfer of this cluster needs the script. To undo: galvan rollback
[Unit]
Description=Keep a transfer script from being run
StartLimitIntervalSec=0
[Service]
Type=oneshot
ExecStart=/bin/chmod {{shut}} {{real}}
END
cat >{{path}}.new <<'END'
# Written by Galvan (sst_tls)
[Unit]
Description=Keep a transfer script from being run
[Path]
TriggerLimitIntervalSec=0
PathChanged={{real}}
Unit={{unit}}.service
[Install]
WantedBy=multi-user.target
END
mv {{service}}.new {{service}} && mv {{path}}.new {{path}} && systemctl daemon-reload && systemctl enable --quiet --now {{unit}}.path
chmod {{shut}} {{real}}
"""
"""With systemd's own limits five new files within ten seconds put the unit in `failed`, and the next one is looked at by nobody (seen)."""
_NO_WATCH = """
systemctl disable --quiet --now {{unit}}.path 2>/dev/null || true
rm -f {{service}} {{path}}; systemctl daemon-reload
chmod {{mode}} {{real}}
"""


def ways(lasting: str, real: str, mode: int) -> tuple[Shell, Shell]:
    """Shut, and open again as it was. `lasting`: what the host has (`sst.tools`); `mode`: what the file has now."""
    name = real.rpartition("/")[2]
    unit = f"galvan-{name.replace('_', '-')}"
    values = {
        "real": real, "shut": f"{mode & ~0o111:o}", "mode": f"{mode:o}", "unit": unit,
        "service": f"/etc/systemd/system/{unit}.service", "path": f"/etc/systemd/system/{unit}.path",
    }  # fmt: skip
    do, undo = (_DPKG, _NO_DPKG) if lasting == "dpkg" else (_WATCH, _NO_WATCH)
    return sh(do, **values), sh(undo, **values)
