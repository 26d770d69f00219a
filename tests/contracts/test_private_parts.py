"""Tests use what they test as anybody does: no private attributes, no constants changed behind a module's back."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
NAMED_TUPLES = {"_replace", "_asdict", "_make", "_fields"}
"""Public, whatever they look like."""
ALLOWED: dict[str, int] = {}
"""How many uses a folder may still have. A number here may only become smaller."""


def uses(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The line and name of each private attribute of another object, and of each constant that is patched."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_private(node.attr) and not _is_own(node.value):
            yield node.lineno, node.attr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "setattr":
            names = [arg.value for arg in node.args[:2] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
            last = names[-1].rpartition(".")[2] if names else ""
            if last.isupper() or _is_private(last):
                yield node.lineno, last


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in NAMED_TUPLES | {"_exit"}


def _is_own(owner: ast.expr) -> bool:
    """Whether it is an attribute of the object whose method this is, or of what that inherits."""
    is_super = isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and owner.func.id == "super"
    return is_super or (isinstance(owner, ast.Name) and owner.id in ("self", "cls"))


def test_tests_use_no_private_part() -> None:
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("*.py")):
        place = path.relative_to(TESTS)
        for line, name in uses(ast.parse(path.read_text())):
            found.setdefault("/".join(place.parent.parts[:2]), []).append(f"{place}:{line} {name}")
    counts = Counter({folder: len(each) for folder, each in found.items()})
    beyond = {folder: found[folder] for folder in counts if counts[folder] > ALLOWED.get(folder, 0)}
    assert beyond == {}


def test_a_use_is_found() -> None:
    program = """
        class A:
            def own(self): return self._x, cls._y, super()._z(), point._replace(x=1)
        def test(monkeypatch):
            repository._blobs.locate(1)
            monkeypatch.setattr(module, "LARGE_BYTES", 1)
            monkeypatch.setattr("module._large", 1)
            monkeypatch.setattr(os, "geteuid", f)
    """
    tree = ast.parse("if True:\n" + program)
    assert sorted(name for _, name in uses(tree)) == ["LARGE_BYTES", "_blobs", "_large"]
