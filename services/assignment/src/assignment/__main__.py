"""The commands of the assignment service: `serve`, `relay`, `migrate`, `dead-letters`."""

from assignment.app import ASSIGNMENT

if __name__ == "__main__":
    ASSIGNMENT.main()
