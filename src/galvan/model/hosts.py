"""A cluster is a named set of hosts, and a policy: what its operator wants."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from galvan.model.scales import Severity


class Role(StrEnum):
    DATABASE = "database"
    ARBITRATOR = "arbitrator"
    LOAD_BALANCER = "load_balancer"
    APPLICATION = "application"
    REPLICA = "replica"
    MONITOR = "monitor"
    OUTSIDER = "outsider"


@dataclass(frozen=True, slots=True)
class SecretRef:
    """The name of a secret. Only an edge may learn the value, at the moment of use."""

    name: str


@dataclass(frozen=True, slots=True)
class Host:
    """One machine. `ssh` is the alias that the user's ssh configuration knows; `address` is what the cluster dials."""

    name: str
    address: str
    role: Role
    ssh: str
    kind: str = ""  # of a load balancer: haproxy, proxysql, maxscale
    user: str | None = None
    port: int | None = None
    names: tuple[str, ...] = ()  # further names and virtual addresses that clients use
    identity: str = ""  # a private key for ssh, beside what the ssh configuration says
    jump: str = ""  # hops on the way there, as in ProxyJump: "bob@bastion:2222,inner"; empty: the ssh configuration's
    become: SecretRef | None = None  # the password that sudo asks for; None: sudo asks for none
    groups: tuple[str, ...] = ()  # of the inventory; `--limit` knows them


@dataclass(frozen=True, slots=True)
class ProbeAccount:
    """An account whose password the operator lends for proofs (`galvan.yaml`: probe)."""

    user: str
    password: SecretRef


@dataclass(frozen=True, slots=True)
class Risk:
    """A finding that the operator accepted, with a name and an end."""

    check: str
    host: str
    reason: str
    owner: str
    until: str


@dataclass(frozen=True, slots=True)
class Control:
    """What the policy says of one check: whether it is asked for (None: as the profile has it), and how much it weighs."""

    check: str
    asked: bool | None = None
    severity: Severity | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """When the cluster may be changed: from `begin` to `end` (minutes since midnight in `zone`) on `days` (Monday is 0).
    An `end` that is not after `begin` lies on the day after."""

    text: str
    days: frozenset[int]
    begin: int
    end: int
    zone: str


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may cost. `flow_control`: the share of time in which a member was paused; `p99_ms`: of statements."""

    flow_control: float | None = None
    p99_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was restored once must be vouched for: on which day (YYYY-MM-DD), and by whom."""

    max_age_days: int
    attested: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Opening:
    """A port that no role covers and that has to stay open all the same, on the hosts that are named (none: on all)."""

    port: int
    sources: tuple[str, ...]
    protocol: str = "tcp"
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Walls:
    """Who comes from where, beside the hosts of galvan.yaml (networks in CIDR), and how strict the walls are."""

    operators: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    replicas: tuple[str, ...] = ()
    monitors: tuple[str, ...] = ()
    also: tuple[Opening, ...] = ()
    interface: str = ""  # only what comes in here reaches the ports; empty: any
    own_address: bool = False  # only what is meant for the host's own address
    new_per_second: int = 0  # new connections to the server's port, from each address; 0: no limit
    allowlist: bool = True  # wsrep_allowlist, where the server has it
    backend: str = "auto"  # nftables, iptables, firewalld, ufw


@dataclass(frozen=True, slots=True)
class Pair:
    """Two balancers that share an address (VRRP): the one that lives answers for it."""

    address: str
    interface: str
    router: int = 0  # virtual_router_id: 1 to 255, one of its own in the network; 0: it comes from the address


@dataclass(frozen=True, slots=True)
class Balancing:
    """How the door stands before the members. Times are seconds; connections are counted for one member at one balancer."""

    door: int = 3307  # where applications come in
    read_door: int = 0  # a second one that spreads reads over all members; 0: none
    writers: str = "one"  # or all
    connections: int = 0  # of one member; 0: what the server's max_connections leaves room for
    queue: int = 0  # how many may wait for a member; 0: any number
    queue_wait: int = 10  # how long one may wait for its turn before it is told no
    interval: float = 2.0  # between two health checks
    donor: bool = False  # a member goes on serving while it feeds another one
    client_address: bool = False  # members see the client's own address (PROXY protocol)
    pair: Pair | None = None
    statements: str = ""  # the file with what may be said to the database; beside galvan.yaml


@dataclass(frozen=True, slots=True)
class Hardening:
    """What the tip `hardening` is asked for beyond what it does anyway. Accounts stand as 'user'@'host', or as a user alone."""

    at_rest: str = ""  # file or hashicorp: where the keys of encryption at rest lie; empty: not asked for
    vault: str = ""  # hashicorp: the URL of the secret engine, as https://vault.example.org:8200/v1/mariadb
    encryption_iops: int = 100  # innodb_encryption_rotation_iops while one host encrypts what is there
    audit: str = "file"  # or syslog: where the server's audit log goes
    audit_exclude: tuple[str, ...] = ()  # users that it leaves out, because they are noisy and of no use to an intruder
    password_length: int = 14  # the least that a new password may have
    password_errors: int = 1000  # so many wrong ones in a row, and the account is shut until FLUSH PRIVILEGES
    fips: bool = False  # is FIPS mode asked for?
    administrators: tuple[str, ...] = ()  # beside the server's own, which enter by the socket
    applications: tuple[str, ...] = ()  # an administrator's rights are taken from these
    monitors: tuple[str, ...] = ()
    backups: tuple[str, ...] = ()
    replication: tuple[str, ...] = ()
    unused_days: int = 90  # an account that nobody used for so long is locked; 0: none


@dataclass(frozen=True, slots=True)
class Transfers:
    """How a member gets a full copy of the data (SST)."""

    method: str = ""  # rsync, mariabackup or secure_rsync (Galvan's own script); empty: as it is
    also: tuple[str, ...] = ()  # methods that a donor goes on serving beside the one in use
    older_scripts: bool = False  # scripts that fall back to clear text without a word are taken by name
    account: str = "socket"  # how transfers log in at the donor: without a password, or by one (password)


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator wants. Times are seconds unless the name says days."""

    min_tls: str = "TLSv1.2"
    ciphers: str = (
        "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:"
        "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
    )
    require: str = "SSL"  # or X509
    leaf_days: int = 90
    authority_days: int = 1095
    warn_days: int = 30
    watch_clients: bool = True  # performance_schema=ON in the first restart, so that clients can be watched
    route: str = "auto"  # or rebootstrap: replication TLS by an outage, even where the providers could do without
    quick_rejoin: bool = True  # evs.join_retrans_period=PT0.1S during a run, put back at its end
    recycle_wait: float = 45.0  # how long pools may take to let go of a drained host
    idle_close: float = 20.0  # sessions idle for longer are closed while draining
    proof_lifetime_days: int = 7
    bundle_owner: str = "root:root"  # who may read the client key on an application's host
    exempt_accounts: tuple[str, ...] = ()  # as 'user'@'host': not put under REQUIRE SSL
    profile: str = "baseline"  # or strict: asks for more
    controls: tuple[Control, ...] = ()
    accepted: tuple[Risk, ...] = ()
    window: tuple[Window, ...] = ()  # empty: at any time
    budget: Budget | None = None
    backup: Backup | None = None  # None: not asked for
    firewall: Walls = Walls()
    load_balancer: Balancing = Balancing()
    sst: Transfers = Transfers()
    hardening: Hardening = Hardening()


@dataclass(frozen=True, slots=True)
class Cluster:
    """A named set of hosts, and how to reach them."""

    name: str
    hosts: tuple[Host, ...]
    policy: Policy = field(default_factory=Policy)
    probe: ProbeAccount | None = None
    ssh_config: tuple[str, ...] = ()
    authorities: tuple[tuple[str, str], ...] = ()  # name and certificate (PEM) of the authorities kept here
    escrow: tuple[
        tuple[str, str], ...
    ] = ()  # number and fingerprint of the keys of encryption at rest that are kept here
    profile: str = ""  # the lines of an AppArmor profile, likewise
    learnt: str = ""  # the SELinux module that was built from what was learnt; it lies beside galvan.yaml

    def having(self, *roles: Role) -> tuple[Host, ...]:
        return tuple(h for h in self.hosts if h.role in roles)
