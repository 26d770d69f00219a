"""Setting the password of a Kafka node that was made without one."""

import signal
import subprocess
import sys

from cairn_local.infrastructure import kafka

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"


def test_node_with_a_temporary_account_is_killed_if_it_ignores_sigterm() -> None:
    running = subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE)
    assert running.stdout is not None
    with running.stdout:
        running.stdout.readline()
        kafka.terminate_or_kill(running, patience_seconds=0.1)
    assert running.returncode == -signal.SIGKILL
