"""The guests' disk: a Debian tree with a kernel, labelled by its own policy before it ever boots."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from galvan.lab.debian import bootstrap
from galvan.lab.paths import cache_dir
from galvan.lab.podman import run
from galvan.lab.recipes import Recipe
from galvan.lab.topology import Say

SIZE = "4G"  # sparse
CONTEXTS = "/etc/selinux/default/contexts/files/file_contexts"
LABEL = f'mount -t proc proc "$1/proc" && exec chroot "$1" setfiles -m -F -e /proc {CONTEXTS} /'


@dataclass(frozen=True, slots=True)
class Base:
    """What every guest of a recipe starts from, and none writes to."""

    folder: Path

    @property
    def disk(self) -> Path:
        return self.folder / "disk.raw"

    @property
    def kernel(self) -> Path:
        return self.folder / "lab-kernel"

    @property
    def initrd(self) -> Path:
        return self.folder / "lab-initrd"


def base(recipe: Recipe) -> Base:
    return Base(cache_dir() / f"{recipe.name}-{recipe.tag}.disk")


def ensure(recipe: Recipe, say: Say) -> None:
    """Made anew where it is missing; a build that was interrupted leaves a directory that the next one removes."""
    if base(recipe).folder.exists():
        return
    say(f"disk {recipe.name} ({recipe.release}): building from Debian packages, about two minutes")
    part = base(recipe).folder.with_suffix(".part")
    for old in cache_dir().glob(f"{recipe.name}-*.part"):
        shutil.rmtree(old)
    part.mkdir(mode=0o700, parents=True)
    _build(recipe, part)
    part.rename(base(recipe).folder)


def _build(recipe: Recipe, part: Path) -> None:
    """`setfiles -m`: this machine's kernel knows no SELinux, and stores labels like any other extended attribute.

    It reaches every file through /proc, which is there for it alone and goes with it.
    """
    tree = part / "tree"
    bootstrap(recipe, tree)
    run(("unshare", "--mount", "sh", "-c", LABEL, "sh", str(tree)), f"labelling the {recipe.name} disk")
    for name in ("lab-kernel", "lab-initrd"):
        shutil.move(tree / "boot" / name, part / name)
    disk = part / "disk.raw"
    run(
        ("mke2fs", "-q", "-t", "ext4", "-L", "root", "-J", "size=16", "-d", str(tree), str(disk), SIZE),
        f"making {disk}",
    )
    shutil.rmtree(tree)


def sweep(recipe: Recipe) -> None:
    """Remove the disks of older recipes."""
    for folder in cache_dir().glob(f"{recipe.name}-{recipe.release}-*.disk"):
        if folder != base(recipe).folder:
            shutil.rmtree(folder)


def purge() -> None:
    """Remove every disk, and what an interrupted build has left."""
    for folder in (*cache_dir().glob("*.disk"), *cache_dir().glob("*.part")):
        shutil.rmtree(folder)
