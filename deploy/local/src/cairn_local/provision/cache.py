"""The cache of built components: made once, complete or absent, shared by all platforms of a user."""

import hashlib
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from cairn_local.errors import LocalError
from cairn_local.locks import file_lock


@dataclass(frozen=True)
class Component:
    """What is to be built; `inputs` are the files that pin it, so that a changed pin is another folder."""

    name: str
    version: str
    inputs: tuple[Path, ...]
    settings: tuple[str, ...] = ()

    @property
    def folder_name(self) -> str:
        """Name, version and the checksum over everything that decides about the content."""
        digest = hashlib.sha256()
        for part in (sys.platform, platform.machine(), *self.settings, *map(_sha256, self.inputs)):
            digest.update(part.encode() + b"\0")
        return f"{self.name}-{self.version}-{digest.hexdigest()[:16]}"


class Cache:
    """The cache folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, component: Component) -> Path | None:
        """The folder of a finished component, or None."""
        folder = self.root / component.folder_name
        return folder if folder.is_dir() else None

    def ensure(self, component: Component, build: Callable[[Path], None]) -> Path:
        """The folder of `component`, built by `build` in an empty folder first when it is not there.

        Several processes may ask at once: one builds, the others wait. A failed or killed build leaves nothing
        that looks finished.
        """
        if found := self.find(component):
            return found
        self._check_writable()
        with file_lock(self.root / "locks" / component.name):
            return self.find(component) or self._build(component, build)

    def _build(self, component: Component, build: Callable[[Path], None]) -> Path:
        prefix = f".building-{component.name}-"
        # Under the lock: whoever left these has died.
        for abandoned in self.root.glob(f"{prefix}*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        workspace = Path(tempfile.mkdtemp(prefix=prefix, dir=self.root))
        try:
            build(workspace)
            # Renaming is one step, so that a folder with this name is always complete.
            return workspace.rename(self.root / component.folder_name)
        finally:
            shutil.rmtree(workspace, ignore_errors=True)

    def _check_writable(self) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LocalError(
                f"The cache folder {self.root} cannot be made: {error.strerror}.",
                hint="Set CAIRN_CACHE to a folder you may write to.",
            ) from error


def verify_checksums(folder: Path, expected: dict[str, str]) -> None:
    """Raise LocalError unless `folder` holds exactly the `expected` files (name to SHA-256)."""
    actual = {path.name: _sha256(path) for path in folder.iterdir()}
    if wrong := sorted(name for name in actual.keys() | expected.keys() if actual.get(name) != expected.get(name)):
        raise LocalError(
            f"These files are missing, unexpected or not what was pinned: {', '.join(wrong)}.",
            hint="A mirror may serve altered files. Nothing was installed.",
        )


def read_checksums(lines: Iterable[str]) -> dict[str, str]:
    """File name to SHA-256, from the lines that `sha256sum` writes."""
    pairs = (line.split(maxsplit=1) for line in lines if line.strip())
    return {name.strip(): digest for digest, name in pairs}


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
