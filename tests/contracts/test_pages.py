"""What our pages name in backticks exists: files by their paths, and modules by their dotted names."""

import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = ("deploy", "gateway", "libs", "services", "tests")
PACKAGES = {path.parent.name for part in PARTS for path in (ROOT / part).glob("**/src/*/py.typed")}
QUOTED = re.compile(r"`([^`\s]+)`")
A_PATH = re.compile(rf"(?:{'|'.join(PARTS)})(?:/[\w.-]+)+/?|(?:[\w-]+/)*[\w-]+\.(?:py|md|toml)")
A_MODULE = re.compile(r"[a-z_]+(?:\.[a-z_]+)+(?:\.[A-Z]\w*)?")
ACTIONS = {"connector.create"}
"""Names of the audit log that look like modules."""


def pages() -> list[Path]:
    found = [page for part in PARTS for page in (ROOT / part).rglob("*.md") if ".venv" not in page.parts]
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *found]


def named(page: Path) -> Iterator[str]:
    yield from QUOTED.findall(page.read_text("utf-8"))


@cache
def kept() -> list[str]:
    """Every file and directory of our parts, from the root."""
    # Not the whole checkout: what is installed in `.venv` would make nearly any name exist.
    return [f"/{path.relative_to(ROOT).as_posix()}" for part in PARTS for path in (ROOT / part).rglob("*")]


def exists(name: str) -> bool:
    """Whether a path is one of the repository, or the end of one in any of our parts."""
    return (ROOT / name).exists() or any(path.endswith(f"/{name.rstrip('/')}") for path in kept())


def is_module(name: str) -> bool:
    """Whether a dotted name is a module, or something that a module has."""
    parent, _, last = name.rpartition(".")
    try:
        if find_spec(name):
            return True
    except ModuleNotFoundError:
        pass
    spec = find_spec(parent)
    return bool(spec and spec.origin and re.search(rf"\b{last}\b", Path(spec.origin).read_text("utf-8")))


def test_pages_name_files_that_are_there() -> None:
    paths = [(page, name) for page in pages() for name in named(page) if A_PATH.fullmatch(name)]
    assert len(paths) > 50
    assert [f"{page.relative_to(ROOT)}: {name}" for page, name in paths if not exists(name)] == []


def test_pages_name_modules_that_are_there() -> None:
    dotted = [(page, name) for page in pages() for name in named(page) if A_MODULE.fullmatch(name)]
    ours = [(page, name) for page, name in dotted if name.partition(".")[0] in PACKAGES and name not in ACTIONS]
    assert len(ours) > 10
    assert [f"{page.relative_to(ROOT)}: {name}" for page, name in ours if not is_module(name)] == []
