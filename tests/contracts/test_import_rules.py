"""The walls between the parts of the system stand, and they would hold."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MEMBERS = ("libs", "services", "gateway")


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Check the import rules of the tree at `root`, as its own sources."""
    sources = [str(path) for member in MEMBERS for path in sorted((root / member).glob("**/src"))]
    program = "import sys; from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {sources!r}; {program}", "--no-cache"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)


APPS = "services/assignment/src/assignment/apps"
CATALOG, CHASSIS, CONTRACTS = "services/catalog/src/catalog", "libs/chassis/src/chassis", "libs/contracts/src/contracts"
INVENTORIES = f"{CATALOG}/inventories"
VIOLATIONS = {
    f"{CATALOG}/settings.py": ("import assignment.settings", "catalog.settings -> assignment.settings"),
    f"{CATALOG}/__main__.py": ("import gateway.settings", "catalog.__main__ -> gateway.settings"),
    f"{CHASSIS}/ids.py": ("import scheduler.settings", "chassis.ids -> scheduler.settings"),
    f"{CONTRACTS}/topics.py": (
        "import chassis.http.tokens",
        "contracts.topics -> chassis.http.tokens",
    ),
    f"{INVENTORIES}/store.py": (
        "import catalog.inventories.usecases",
        "catalog.inventories.store -> catalog.inventories.usecases",
    ),
    f"{INVENTORIES}/api.py": (
        "import catalog.inventories.handlers",
        "catalog.inventories.api -> catalog.inventories.handlers",
    ),
    f"{INVENTORIES}/domain/resources.py": (
        "import chassis.persistence.mongo",
        "catalog.inventories.domain.resources -> chassis.persistence.mongo",
    ),
    f"{CONTRACTS}/values.py": ("import fastapi", "contracts.values -> fastapi"),
    f"{APPS}/store.py": ("import assignment.apps.usecases", "assignment.apps.store -> assignment.apps.usecases"),
    f"{APPS}/usecases/commands.py": (
        "import assignment.app",
        "assignment.apps.usecases.commands -> assignment.app",
    ),
    f"{APPS}/helpers.py": ("import json", "assignment.apps.helpers"),
    f"{CATALOG}/helpers.py": ("import json", "catalog.helpers"),
}


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the linter says of a copy of the sources with all the violations in it."""
    root = tmp_path_factory.mktemp("copy")
    shutil.copy(ROOT / "pyproject.toml", root)
    for member in MEMBERS:
        for source in (ROOT / member).glob("**/src"):
            shutil.copytree(source, root / source.relative_to(ROOT), ignore=shutil.ignore_patterns("__pycache__"))
    for name, (line, _) in VIOLATIONS.items():
        with (root / name).open("a") as file:
            file.write(f"\n{line}\n")
    done = lint(root)
    assert done.returncode == 1
    return done.stdout


def test_the_rules_hold() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_violation_is_found(spoilt: str, name: str) -> None:
    assert VIOLATIONS[name][1] in spoilt
