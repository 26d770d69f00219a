"""The commands of the assignment service: `serve`, `relay`, `migrate`, `parked`."""

from assignment.app import ASSIGNMENT

if __name__ == "__main__":
    ASSIGNMENT.main()
