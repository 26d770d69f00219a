"""What users may read is in their words: problems, logs of jobs, checks of tests, and the document of the API."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.words import INSIDE

ROOT = Path(__file__).parents[2]
SOURCES = ("gateway/src", "libs/chassis/src", *(f"services/{p.name}/src" for p in (ROOT / "services").iterdir()))
FOR_OPERATORS = {"settings.py", "kafka.py", "process.py", "topology.py", "__main__.py"}
"""Modules whose texts are read by whoever starts the processes."""
ADDRESSES = {"netloc", "hostname", "_host", "base_url", "_base_url", "http_host", "http_port", "mongodb_uri"}
"""Names that hold where a part of Cairn answers."""


def modules() -> list[Path]:
    found = [path for source in SOURCES for path in (ROOT / source).rglob("*.py")]
    assert len(found) > 150
    return sorted(path for path in found if path.name not in FOR_OPERATORS)


def told(tree: ast.Module) -> Iterator[ast.expr]:
    """Texts of a module that are more than one word: no documentation, and no lines of a process's own log."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(id(node.value))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            of = node.func.value
            if isinstance(of, ast.Name) and of.id == "log":
                skipped.update(id(part) for part in ast.walk(node))
        if isinstance(node, ast.Call) and any(k.arg == "description" for k in node.keywords):
            skipped.update(id(part) for part in ast.walk(node))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "build_internal_api":
            skipped.update(id(part) for part in node.args)
        if isinstance(node, ast.JoinedStr):
            skipped.update(id(part) for part in node.values)
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            yield node


def words_of(text: ast.expr) -> str:
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    return "".join(str(p.value) if isinstance(p, ast.Constant) else "x" for p in parts)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_texts_name_nothing_of_the_inside(path: Path) -> None:
    for text in told(ast.parse(path.read_text())):
        words = words_of(text)
        if " " not in words.strip():
            continue
        assert not INSIDE.search(words), f"{path.name}:{text.lineno}: {words}"
        names = {part.attr for part in ast.walk(text) if isinstance(part, ast.Attribute)}
        bare = {part.id for part in ast.walk(text) if isinstance(part, ast.Name)}
        assert not (names & ADDRESSES) | (bare & {"url"}), f"{path.name}:{text.lineno}: {words}"


def test_what_is_looked_for_is_found() -> None:
    tree = ast.parse(
        'def f(self):\n    "An app."\n    log.info("app gone")\n    raise E("c", f"The service at {self.netloc}.")'
    )
    [code, text] = list(told(tree))
    assert (words_of(code), words_of(text)) == ("c", "The service at x.")
    assert INSIDE.search(words_of(text))


def test_the_document_of_the_api_is_in_words_of_users() -> None:
    def texts(part: Any) -> Iterator[str]:
        if isinstance(part, dict):
            for value in part.values():
                yield from texts(value)
        elif isinstance(part, list):
            for value in part:
                yield from texts(value)
        elif isinstance(part, str) and " " in part:
            yield part

    document = json.loads((ROOT / "gateway/openapi.json").read_text())
    assert [text for text in texts(document) if INSIDE.search(text)] == []
