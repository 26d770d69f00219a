"""The `cairn` command with fake services, as a program: `python -m` with this module's name, then `up` and so on."""

import signal
import sys

from cairn_local.__main__ import main

from tests.integration.local.fake_service import FAKE_SERVICES

if __name__ == "__main__":
    # A shell has what it starts in the background ignore SIGINT, and a test run hands that on to here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main(services=FAKE_SERVICES))
