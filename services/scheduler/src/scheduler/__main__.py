"""The commands of the scheduler: `serve`, `relay`, `migrate`, `parked`."""

from scheduler.app import SCHEDULER

if __name__ == "__main__":
    SCHEDULER.main()
