"""The commands of the restore index: `serve`, `relay`, `migrate`, `dead-letters`."""

from restore_index.app import RESTORE_INDEX

if __name__ == "__main__":
    RESTORE_INDEX.main()
