"""How a secret goes from host to host without anybody between them reading it: the receiver makes a key for that, the source prints
the secret sealed for it (`model.Sealed`), and what is opened at the receiver goes through pipes and builtins of the shell."""

from galvan.cluster.quote import sh
from galvan.model import Shell

SEALED = "/etc/galvan/sealed"
CERTIFICATE = f"{SEALED}/cert.pem"
OWN_KEY = Shell(
    f"d={SEALED}\n"
    "[ ! -e $d/cert.pem ] || exit 0\n"
    "(umask 022; mkdir -p ${d%/*})\nmkdir -p -m 700 $d\n"
    "openssl req -x509 -newkey rsa:3072 -sha256 -nodes -subj /CN=galvan -days 3650 -keyout $d/key.part -out $d/cert.part 2>/dev/null\n"
    "mv $d/key.part $d/key.pem\nmv $d/cert.part $d/cert.pem"
)
"""For what is sealed for this host, and for nothing else."""


def opened(message: str) -> str:
    """The command that prints what was sealed for this host."""
    return sh(
        "openssl cms -decrypt -inform PEM -in {{message}} -recip {{cert}} -inkey {{key}}",
        message=message, cert=CERTIFICATE, key=f"{SEALED}/key.pem",
    ).text  # fmt: skip
