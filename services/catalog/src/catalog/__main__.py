"""The commands of the catalog: `serve`, `relay`, `migrate`."""

from chassis.runtime.process import main

from catalog.app import SERVICE, open_app, open_outbox
from catalog.settings import Settings

if __name__ == "__main__":
    main(SERVICE, Settings, open_app=open_app, open_outbox=open_outbox)
