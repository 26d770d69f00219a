"""What an initialization that was cut off leaves behind: a key without a configuration, which no key can open."""

from pathlib import Path

_PRECIOUS = ("snapshots", "index", "data")


def hold_keys_only(root: Path) -> bool:
    """Whether a repository on this machine has nothing in it that a key could open."""
    holds = any(path.is_file() for folder in _PRECIOUS for path in (root / folder).rglob("*"))
    return root.is_dir() and not holds and not (root / "config").exists()


def remove_keys(root: Path) -> None:
    """Make room for another initialization."""
    for key in (root / "keys").iterdir():
        key.unlink()
