"""Others use of the reader what it exports, and its errors; what is inside may change at any time."""

import ast
from pathlib import Path

import restic_reader

ROOT = Path(__file__).parents[2]
OPEN_MODULES = {"restic_reader", "restic_reader.errors", "restic_reader.sftp_files", "restic_reader.loop_thread"}
"""`sftp_files` is imported when it is needed only, `loop_thread` is for adapters of other places."""


def test_only_what_is_exported_is_used() -> None:
    inside = []
    for member in ("libs/integrations", "services", "gateway"):
        for path in sorted((ROOT / member).glob("**/src/**/*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "restic_reader":
                    names = {each.name for each in node.names}
                    is_exported = node.module != "restic_reader" or names <= {*restic_reader.__all__, "errors"}
                    if node.module not in OPEN_MODULES or not is_exported:
                        inside.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.module} {sorted(names)}")
    assert inside == []
