"""What a backup says of files that it could not read."""

from contracts.errors import PermanentError

from connector.domain.attempts import MadeSnapshot

UNREADABLE_NAMED = 5


def incomplete(made: MadeSnapshot) -> PermanentError | None:
    """The error of a backup that kept a restore point but could not read everything; None when it could."""
    count = made.unreadable_count
    if not count:
        return None
    named = ", ".join(made.unreadable)
    more = f" and {count - len(made.unreadable)} more" if count > len(made.unreadable) else ""
    things = "1 file or directory" if count == 1 else f"{count} files or directories"
    detail = f"{things} could not be read: {named}{more}. The restore point has everything else."
    return PermanentError("backup_incomplete", detail)
