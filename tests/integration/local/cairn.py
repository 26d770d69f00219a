"""The `cairn` command with stand-ins for our services: `python -m tests.integration.local.cairn up`."""

import signal
import sys

from cairn_local.__main__ import main
from cairn_local.ports import USUAL_PORTS

from tests.integration.local.stand_in import STAND_INS

if __name__ == "__main__":
    # A shell has what it starts in the background ignore SIGINT, and a test run hands that on to here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    USUAL_PORTS.clear()
    sys.exit(main(services=STAND_INS))
