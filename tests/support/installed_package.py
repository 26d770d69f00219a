"""Packages of somebody else's, installed as an installer would do it, without one: nothing is fetched or built."""

import shutil
import tomllib
from pathlib import Path

SHELF = Path(__file__).parent / "packages" / "shelf"
"""One integration of two protocols."""


def install(package: Path, target: Path) -> Path:
    """Install a package into a directory that is to be on `PYTHONPATH`: its modules, and what says that it is there.

    Returns the directory.
    """
    project = tomllib.loads((package / "pyproject.toml").read_text("utf-8"))["project"]
    target.mkdir(parents=True, exist_ok=True)
    for module in (package / "src").iterdir():
        shutil.copytree(module, target / module.name, ignore=shutil.ignore_patterns("__pycache__"))
    name, version = project["name"].replace("-", "_"), project["version"]
    about = target / f"{name}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {project['name']}\nVersion: {version}\n")
    (about / "entry_points.txt").write_text(_entry_points(project["entry-points"]))
    return target


def _entry_points(groups: dict[str, dict[str, str]]) -> str:
    """As installers write them, a section for each group."""
    sections = (
        f"[{group}]\n" + "".join(f"{name} = {leads_to}\n" for name, leads_to in points.items())
        for group, points in groups.items()
    )
    return "\n".join(sections)
