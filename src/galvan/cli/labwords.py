"""The words of `galvan lab`."""

from __future__ import annotations

import argparse


def practice(parser: argparse.ArgumentParser) -> None:
    what = parser.add_subparsers(dest="what", required=True, metavar="WHAT", parser_class=type(parser))
    up = what.add_parser("up", help="boot it, as insecure as the seed's reader is")
    up.add_argument("--nodes", type=int, help="database hosts: 3 unless told, 2 of guests")
    up.add_argument(
        "--release", default="bookworm", metavar="R[,R…]", help="bookworm or trixie; by commas: host by host"
    )
    up.add_argument("--sst", choices=("mariabackup", "rsync"), default="mariabackup")
    up.add_argument("--multi-writer", action="store_true")
    up.add_argument("--ipv6", action="store_true", help="hosts with IPv6 addresses and no others")
    up.add_argument("--odd", action="store_true", help="paths, ports, names and spellings as nobody would expect them")
    up.add_argument("--arbitrator", action="store_true", help="a host arb1 with garbd beside the database hosts")
    up.add_argument(
        "--balancers", type=int, choices=(1, 2), default=1, help="two share an address where the policy says so"
    )
    up.add_argument(
        "--balancer",
        choices=("haproxy", "proxysql", "maxscale"),
        default="haproxy",
        help="what opens the door; GALVAN_PROXYSQL or GALVAN_MAXSCALE names a tar of the other two",
    )
    up.add_argument(
        "--firewall",
        default="",
        metavar="F[,F…]",
        help="nftables, iptables, legacy, firewalld or ufw at work on the database hosts",
    )
    guests = up.add_mutually_exclusive_group()
    guests.set_defaults(guests="")
    for guard, name in (("selinux", "SELinux"), ("apparmor", "AppArmor")):
        said = f"database hosts as emulated guests with a kernel of their own and {name}"
        guests.add_argument(f"--{guard}", dest="guests", action="store_const", const=guard, help=said)
    down = what.add_parser("down", help="take it away")
    down.add_argument("--purge", action="store_true", help="the images too")
    what.add_parser("reset", help="fresh hosts with the same options")
    what.add_parser("status", help="what each host says")
    what.add_parser("ssh", help="log in to a host").add_argument("host")
    load = what.add_parser("load", help="writers through the balancer, compared with every node afterwards")
    load.add_argument("--writers", type=int, default=8)
    load.add_argument("--seconds", type=float, default=30.0)
