"""The commands of the assignment service: `serve`, `relay`, `migrate`."""

from chassis.runtime.process import main

from assignment.app import SERVICE, open_app, open_outbox
from assignment.settings import Settings

if __name__ == "__main__":
    main(SERVICE, Settings, open_app=open_app, open_outbox=open_outbox)
