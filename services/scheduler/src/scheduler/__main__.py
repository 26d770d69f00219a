"""The commands of the scheduler: `serve`, `relay`, `migrate`, `dead-letters`."""

from scheduler.app import SCHEDULER

if __name__ == "__main__":
    SCHEDULER.main()
