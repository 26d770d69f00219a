"""The commands of the scheduler: `python -m scheduler serve | relay | migrate`."""

from chassis.runtime.process import main

from scheduler.app import SERVICE, open_app, open_outbox
from scheduler.settings import Settings

if __name__ == "__main__":
    main(SERVICE, Settings, open_app=open_app, open_outbox=open_outbox)
