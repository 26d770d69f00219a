"""Nothing runs in the background whose end nobody learns of."""

import ast
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
BEGINS = {"create_task", "ensure_future"}
WAITED_FOR = {
    "libs/chassis/src/chassis/runtime/supervision.py": (3, "tells how they end"),
    "libs/chassis/src/chassis/subprocesses/children.py": (2, "gathered"),
    "libs/chassis/src/chassis/subprocesses/bounded_programs.py": (3, "two are waited for, the other waits"),
    "libs/chassis/src/chassis/messaging/subscription.py": (1, "waited for when the subscription ends"),
    "libs/chassis/src/chassis/messaging/key_executor.py": (
        2,
        "one catches all, the other is looked at by the consumer",
    ),
    "libs/chassis/src/chassis/runtime/health.py": (1, "waited for by who asks"),
    "gateway/src/gateway/http/proxy.py": (2, "their results are taken"),
    "services/connector/src/connector/engine/restic/backup_run.py": (3, "the survey is waited for; the others wait"),
    "libs/integrations/src/integrations/object_storage/local_copy.py": (2, "in a group of tasks"),
    "libs/integrations/src/integrations/sdk/cancellation.py": (2, "waited for"),
    "libs/integrations/src/integrations/sdk/store_checks.py": (1, "waited for"),
    "libs/integrations/src/integrations/rclone/mount.py": (1, "waited for when the mount is left"),
    "libs/integrations/src/integrations/rclone/served_repository.py": (1, "looked at whenever the server is asked"),
    "libs/restic_reader/src/restic_reader/loop_thread.py": (1, "ends the loop"),
    "libs/restic_reader/src/restic_reader/sftp_files.py": (1, "waited for by who reads"),
    "services/connector/src/connector/downloads/archives/archive.py": (1, "waited for"),
    "services/connector/src/connector/stores/listing_thread.py": (1, "waited for"),
    "services/connector/src/connector/jobs/thread_work.py": (2, "one is waited for, the other waits"),
    "services/connector/src/connector/stores/open_stores.py": (1, "waited for by who borrows"),
    "services/connector/src/connector/queue/runner.py": (2, "told of when they end"),
    "services/restore-index/src/restore_index/usecases/directory_pairs.py": (1, "what fails is read again"),
}
"""How many tasks a file begins by itself, and why their end is known. Others are begun by
`chassis.runtime.supervision`."""


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
