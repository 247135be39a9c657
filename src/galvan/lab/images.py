"""What hosts are made from, of Debian packages and without a registry: a cached tarball for podman to import, or a disk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from galvan.lab import disks
from galvan.lab.debian import bootstrap
from galvan.lab.guestrecipe import guest
from galvan.lab.paths import cache_dir, one_builder
from galvan.lab.podman import podman, together
from galvan.lab.recipes import Recipe, brought, database, tools, ufw, walled
from galvan.lab.topology import Say

KINDS = {"db": database, "walled": walled, "ufw": ufw, "tools": tools, "brought": brought, "guest": guest}


def ensure(kinds: Iterable[tuple[str, str]], say: Say) -> tuple[Recipe, ...]:
    """The images that are asked for, by kind and release, built at the same time where they are missing."""
    recipes = tuple(KINDS[kind](release) for kind, release in sorted(kinds))
    with one_builder():
        together(lambda recipe: (disks.ensure if recipe.name == "guest" else _ensure_one)(recipe, say), recipes)
    return recipes


def sweep(recipes: Iterable[Recipe]) -> None:
    """Remove what older recipes of the same name and release have left; to be called while no lab of any name is up."""
    present = _images()
    for recipe in recipes:
        family = f"localhost/galvan-lab-{recipe.name}:{recipe.release}-"
        for image in present:
            if image.startswith(family) and image != recipe.image:
                podman("rmi", image, what=f"the old image {image} could not be removed")
        for path in cache_dir().glob(f"{recipe.name}-{recipe.release}-*.tar.zst"):
            if path.name != f"{recipe.name}-{recipe.tag}.tar.zst":
                path.unlink()
        if recipe.name == "guest":
            disks.sweep(recipe)


def _images() -> tuple[str, ...]:
    listed = podman("images", "--format", "{{.Repository}}:{{.Tag}}", what="the images could not be listed")
    return tuple(image for image in listed.split() if image.startswith("localhost/galvan-lab-"))


def purge() -> None:
    """Remove every image of the lab, every cached tarball and every disk."""
    for image in _images():
        podman("rmi", image, what=f"the image {image} could not be removed")
    for path in sorted(cache_dir().glob("*.tar.zst*")):
        path.unlink()
    disks.purge()
    if cache_dir().is_dir() and not any(cache_dir().iterdir()):
        cache_dir().rmdir()


def _ensure_one(recipe: Recipe, say: Say) -> None:
    present = podman("images", "-q", recipe.image, what="the images could not be listed").strip()
    if present:
        return
    tar = cache_dir() / f"{recipe.name}-{recipe.tag}.tar.zst"
    if not tar.exists():
        say(f"image {recipe.name} ({recipe.release}): building from Debian packages, about a minute")
        _build(recipe, tar)
    say(f"image {recipe.name} ({recipe.release}): importing")
    init = ("-c", 'CMD ["/lib/systemd/systemd"]', "-c", "STOPSIGNAL SIGRTMIN+3")
    podman("import", *init, str(tar), recipe.image, what=f"the image {recipe.image} could not be imported")


def _build(recipe: Recipe, tar: Path) -> None:
    tar.parent.mkdir(parents=True, exist_ok=True)
    for old in tar.parent.glob(f"{recipe.name}-*.part.tar.zst"):
        old.unlink()
    part = tar.with_name(f"{recipe.name}-{recipe.tag}.part.tar.zst")
    bootstrap(recipe, part)
    part.replace(tar)
