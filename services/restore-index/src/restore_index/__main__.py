"""The commands of the restore index: `python -m restore_index serve | relay | migrate`."""

from chassis.runtime.process import main

from restore_index.app import SERVICE, open_app, open_outbox
from restore_index.settings import Settings

if __name__ == "__main__":
    main(SERVICE, Settings, open_app=open_app, open_outbox=open_outbox)
