"""Nothing runs in the background whose end nobody learns of."""

import ast
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
BEGINS = {"create_task", "ensure_future"}
WAITED_FOR = {
    "libs/chassis/src/chassis/background.py": (3, "tells how they end"),
    "libs/chassis/src/chassis/children.py": (2, "gathered"),
    "libs/chassis/src/chassis/lanes.py": (2, "one catches all, the other is looked at by the consumer"),
    "libs/chassis/src/chassis/readiness.py": (1, "waited for by who asks"),
    "gateway/src/gateway/api/passing.py": (2, "their results are taken"),
    "services/connector/src/connector/engine/restic/backup_run.py": (3, "the survey is waited for; the others wait"),
    "services/connector/src/connector/integrations/objects/copying.py": (2, "in a group of tasks"),
    "services/connector/src/connector/integrations/objects/stopping.py": (2, "waited for"),
    "services/connector/src/connector/integrations/store_checks.py": (1, "waited for"),
    "services/connector/src/connector/repository/loop_thread.py": (1, "ends the loop"),
    "services/connector/src/connector/repository/sftp_files.py": (1, "waited for by who reads"),
    "services/connector/src/connector/usecases/archives/opening.py": (1, "waited for"),
    "services/connector/src/connector/usecases/listing.py": (1, "waited for"),
    "services/connector/src/connector/usecases/stores.py": (1, "waited for by who borrows"),
    "services/connector/src/connector/worker/runner.py": (2, "told of when they end"),
    "services/restore-index/src/restore_index/usecases/walking.py": (1, "what failed is read again by who needs it"),
}
"""How many tasks a file begins by itself, and why their end is known. Others are begun by `chassis.background`."""


def test_every_task_is_waited_for_or_begun_by_who_tells_of_its_end() -> None:
    found: Counter[str] = Counter()
    for path in [
        *ROOT.glob("libs/*/src/**/*.py"),
        *ROOT.glob("services/*/src/**/*.py"),
        *ROOT.glob("gateway/src/**/*.py"),
    ]:
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in BEGINS:
                found[str(path.relative_to(ROOT))] += 1
    assert found == {path: count for path, (count, _) in WAITED_FOR.items()}
