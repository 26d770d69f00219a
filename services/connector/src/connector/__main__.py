"""The commands of the connector: `serve`, `relay`, `migrate`."""

from chassis.runtime.process import main

from connector.app import open_app, open_outbox
from connector.settings import Settings

if __name__ == "__main__":
    main("connector", Settings, open_app=open_app, open_outbox=open_outbox)
