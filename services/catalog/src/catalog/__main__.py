"""The commands of the catalog: `serve`, `relay`, `migrate`, `dead-letters`."""

from catalog.app import CATALOG

if __name__ == "__main__":
    CATALOG.main()
