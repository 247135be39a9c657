"""Where a member says on port 9200 whether it serves, and how it is asked there. The tip `load_balancer` lays the answer; a drain by
hand and the firewall know its places too."""

from __future__ import annotations

PORT = 9200
USER = "galvan-health"
"""The name of the account, and of the system user that it belongs to: it logs in over the socket, without a password."""
SCRIPT = "/usr/local/lib/galvan/health"
SERVICE = "galvan-health.service"
UNIT = f"/etc/systemd/system/{SERVICE}"
HOME = "/run/galvan-health"
FLAG = f"{HOME}/drained"
"""While it lies there the answer is 503. Its directory is another user's: no link of his is followed."""
ASK = f"printf 'OPTIONS / HTTP/1.0\\r\\n\\r\\n' | timeout 3 socat -t 2 -T 2 - TCP:localhost:{PORT} 2>/dev/null | tr -d '\\r' | head -n 1"
"""The first line of what a balancer is told; nothing where nobody answers."""
