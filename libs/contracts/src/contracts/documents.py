"""Writes the published documents: `python -m contracts.documents` writes, with `--check` it tells what is stale.

A stored schema is only replaced by one that its readers can live with; see `contracts.evolution`.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from contracts.asyncapi import asyncapi
from contracts.evolution import breaking_changes
from contracts.messages.base import Message
from contracts.registry import MESSAGES
from contracts.schemas import schema_of

HOME = Path(__file__).parents[2]
SCHEMAS = "schemas"


def documents(messages: Mapping[str, type[Message]] = MESSAGES) -> dict[str, str]:
    """Content of every document by its path below `libs/contracts`, sorted and stable."""
    ordered = dict(sorted(messages.items()))
    found = {f"{SCHEMAS}/{type_}.json": _text(schema_of(message)) for type_, message in ordered.items()}
    return {**found, "asyncapi.json": _text(asyncapi(ordered, version("cairn-contracts")))}


def stale(home: Path, wanted: Mapping[str, str]) -> list[str]:
    """Paths of the documents that are missing, out of date or of no message any more."""
    present = {f"{SCHEMAS}/{path.name}" for path in (home / SCHEMAS).glob("*.json")}
    # Files of messages that are gone count too: a schema without a message would promise something that nobody sends.
    changed = {p for p, text in wanted.items() if not (home / p).is_file() or (home / p).read_text("utf-8") != text}
    return sorted(changed | (present - wanted.keys()))


def broken(home: Path, wanted: Mapping[str, str]) -> list[str]:
    """What would break readers of the stored schemas, one line each: type, field, change."""
    lines = []
    for path in sorted((home / SCHEMAS).glob("*.json")):
        new = wanted.get(f"{SCHEMAS}/{path.name}")
        # A stored schema whose type is gone is a break as well: its messages may still be in a topic.
        changes = breaking_changes(json.loads(path.read_text("utf-8")), json.loads(new)) if new else ["type removed"]
        lines += [f"{path.stem}: {change}" for change in changes]
    return lines


def write(home: Path, wanted: Mapping[str, str]) -> list[str]:
    """Write what is stale; returns the paths."""
    paths = stale(home, wanted)
    for path in paths:
        target = home / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if path in wanted:
            target.write_text(wanted[path], "utf-8")
        else:
            target.unlink()
    return paths


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m contracts.documents", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a document is stale")
    check = parser.parse_args().check
    wanted = documents()
    # Before anything is written: replacing the schema would remove what the change is judged by.
    if problems := broken(HOME, wanted):
        said = "These changes would break readers; leave the type as it is and write a new version of it:"
        sys.exit("\n  ".join([said, *problems]))
    paths = stale(HOME, wanted) if check else write(HOME, wanted)
    if check and paths:
        sys.exit("\n  ".join(["These documents are stale; `make schemas` writes them:", *paths]))
    sys.stdout.write("".join(f"{path}\n" for path in paths))


def _text(document: dict[str, Any]) -> str:
    # Sorted, so that the order of definitions in the code makes no difference in the repository.
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
