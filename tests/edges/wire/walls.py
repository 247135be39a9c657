"""An outsider and a walled host as two network namespaces with a cable between them. Needs root, ip and nft."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

IP, NFT = shutil.which("ip") or "", shutil.which("nft") or ""
needed = pytest.mark.skipif(os.geteuid() != 0 or not IP or not NFT, reason="needs root, ip and nft")
HOST4, HOST6 = "10.213.77.2", "fd13:77::2"
OPEN, BEHIND, CLOSED, REPLYING = (22, 3306), 4444, (5000, 5001), 601
FORGETFUL, RECOVERING, LOSSY, REJECTED = 23, 24, 25, 5002
"""A control that is open once and silent ever after; one that misses its second to fourth dial; a port that loses
three SYNs; a port that a wall rejects as prohibited."""
RULES = f"""
table inet wall {{
  chain in {{
    type filter hook input priority 0; policy drop;
    ct state established,related accept
    iif lo accept
    meta l4proto ipv6-icmp accept
    tcp dport {FORGETFUL} quota over 100 bytes drop
    tcp dport {RECOVERING} quota 100 bytes accept
    tcp dport {RECOVERING} quota 400 bytes drop
    tcp dport {LOSSY} quota 200 bytes drop
    tcp dport {REJECTED} reject with icmpx type admin-prohibited
    tcp dport {{ {", ".join(map(str, (*OPEN, *CLOSED, FORGETFUL, RECOVERING, LOSSY)))} }} accept
    udp dport {{ 600, {REPLYING}, 602 }} accept
  }}
}}
"""
SERVER = """
import socket, sys, threading
def echo(family, where):
    s = socket.socket(family, socket.SOCK_DGRAM); s.bind((where, 601))
    while True:
        s.sendto(b"yes", s.recvfrom(1)[1])
held = [socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True) for port in map(int, sys.argv[1:])]
mute = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); mute.bind(("::", 602))
for family, where in ((socket.AF_INET, "10.213.77.2"), (socket.AF_INET6, "fd13:77::2")):
    threading.Thread(target=echo, args=(family, where), daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""


class Ground:
    def __init__(self, outside: str, inside: str) -> None:
        self.outside, self.inside = outside, inside

    async def ask(self, script: bytes, environment: Mapping[str, str] | None = None) -> tuple[str, str, int]:
        """Runs a script as the outsider."""
        command, pipe = (IP, "netns", "exec", self.outside, "/bin/sh"), asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(*command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe)
        out, err = await child.communicate(script)
        return out.decode(), err.decode(), child.returncode or 0


def ip(*words: str) -> None:
    subprocess.run((IP, *words), check=True, capture_output=True)


@contextmanager
def ground() -> Iterator[Ground]:
    outside, inside = f"gt-out-{os.getpid()}", f"gt-in-{os.getpid()}"
    try:
        for number, name in ((1, outside), (2, inside)):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
            if number == 2:
                ip("-n", outside, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", inside)
        for number, name in ((1, outside), (2, inside)):
            ip("-n", name, "addr", "add", f"10.213.77.{number}/24", "dev", "eth0")
            ip("-n", name, "addr", "add", f"fd13:77::{number}/64", "dev", "eth0", "nodad")
            ip("-n", name, "link", "set", "eth0", "up")
        within = (IP, "netns", "exec", inside)
        subprocess.run((*within, NFT, "-f", "-"), input=RULES, text=True, check=True)
        ports = map(str, (*OPEN, BEHIND, FORGETFUL, RECOVERING, LOSSY))
        command = (*within, sys.executable, "-c", SERVER, *ports)
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout
            assert server.stdout.readline() == "ready\n"
            yield Ground(outside, inside)
            assert server.stdin
            server.stdin.close()
    finally:
        for name in (outside, inside):
            subprocess.run((IP, "netns", "del", name), check=False, capture_output=True)
