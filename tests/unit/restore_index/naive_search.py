"""What a search means, said slowly and plainly: every entry of every tree is looked at."""

from collections.abc import Iterator, Mapping
from typing import Any

from restore_index.domain.case_folding import fold

from tests.unit.restore_index.trees import MTIME_NS, File, Link, Node


def glob_matches(pattern: str, name: str) -> bool:
    """A name and a pattern without slashes, both folded."""
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(glob_matches(pattern.lstrip("*"), name[start:]) for start in range(len(name) + 1))
    if not name:
        return False
    if found := _class_at(pattern):
        negated, signs, rest = found
        return _in_class(signs, name[0]) != negated and glob_matches(rest, name[1:])
    return pattern[0] in ("?", name[0]) and glob_matches(pattern[1:], name[1:])


def _class_at(pattern: str) -> tuple[bool, str, str] | None:
    """Brackets at its beginning: negated or not, what is in them, and the rest. A first `]` is one of the signs."""
    if pattern[0] != "[":
        return None
    for negated in [True, False] if pattern[1:2] in ("!", "^") else [False]:
        begin = 1 + negated
        end = pattern.find("]", begin + 1)
        if end > 0:
            return negated, pattern[begin:end], pattern[end + 1 :]
    return None


def _in_class(signs: str, sign: str) -> bool:
    if not signs:
        return False
    if signs[1:2] == "-" and len(signs) >= 3:
        return signs[0] <= sign <= signs[2] or _in_class(signs[3:], sign)
    return signs[0] == sign or _in_class(signs[1:], sign)


def path_matches(pattern: str, path: list[str]) -> bool:
    """The parts of a path and a pattern with slashes, both folded."""
    parts = [part for part in pattern.split("/") if part]
    return _parts_match(parts + ["*"] * (parts[-1] == "**"), path)


def _parts_match(parts: list[str], path: list[str]) -> bool:
    if not parts:
        return not path
    if parts[0] == "**":
        return any(_parts_match(parts[1:], path[start:]) for start in range(len(path) + 1))
    return bool(path) and glob_matches(parts[0], path[0]) and _parts_match(parts[1:], path[1:])


def entries(tree: Mapping[bytes, Node], path: tuple[bytes, ...] = ()) -> Iterator[tuple[tuple[bytes, ...], Node]]:
    """Every entry of a tree, in the order of paths."""
    for name, node in sorted(tree.items()):
        yield (*path, name), node
        if isinstance(node, Mapping):
            yield from entries(node, (*path, name))


def size_of(node: Node) -> int:
    """What is shown as the size."""
    if isinstance(node, Mapping):
        return sum(map(size_of, node.values()))
    return node if isinstance(node, int) else node.size if isinstance(node, File) else 0


def type_of(node: Node) -> str:
    """What is shown as the type."""
    return "dir" if isinstance(node, Mapping) else "symlink" if isinstance(node, Link) else "file"


def matches(path: tuple[bytes, ...], node: Node, asked: Mapping[str, Any]) -> bool:
    """Whether an entry is meant by what is asked, in the words of `read_conditions`."""
    folded = [fold(name) for name in path]
    size, mtime_ns = size_of(node), node.mtime_ns if isinstance(node, File) else MTIME_NS
    glob = fold(asked.get("glob", b"*")).decode()
    named = path_matches(glob, [f.decode() for f in folded]) if "/" in glob else glob_matches(glob, folded[-1].decode())
    return (
        fold(asked.get("q", b"")) in folded[-1]
        and named
        and (
            "ext" not in asked or any(folded[-1].endswith(b"." + fold(ending.lstrip(b"."))) for ending in asked["ext"])
        )
        and ("types" not in asked or type_of(node) in asked["types"])
        and asked.get("min_size", 0) <= size <= asked.get("max_size", size)
        and ("modified_after" not in asked or asked["modified_after"].timestamp() * 1000 <= mtime_ns // 10**6)
        and ("modified_before" not in asked or mtime_ns // 10**6 < asked["modified_before"].timestamp() * 1000)
    )
