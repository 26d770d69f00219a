"""The `cairn` command with stand-ins for our services: `python -m tests.integration.local.cairn up`."""

import sys

from cairn_local.__main__ import main

from tests.integration.local.stand_in import STAND_INS

if __name__ == "__main__":
    sys.exit(main(services=STAND_INS))
