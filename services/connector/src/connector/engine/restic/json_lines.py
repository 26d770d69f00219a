"""The JSON lines that restic writes while it works."""

import re
from typing import Any

import msgspec
from contracts.task_types.backup import BackupResult
from integrations.sdk.locations import UnreadablePath

from connector.engine.port import Progress

Message = dict[str, Any]
_ATTRIBUTE = re.compile(r"can not obtain extended attribute (?P<name>\S+) for ")
_METADATA = "incomplete metadata for "
_MADE_GOOD = ("; storing the file again", "the repository could be damaged")


def read_message(line: str | bytes) -> Message | None:
    """The message in a line, None when it is plain text."""
    try:
        message = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return message if isinstance(message, dict) and "message_type" in message else None


def backup_progress(status: Message) -> Progress:
    """How far a backup is."""
    return Progress(
        fraction=min(1.0, float(status.get("percent_done", 0))),
        files_done=int(status.get("files_done", 0)),
        files_total=int(status.get("total_files", 0)),
        bytes_done=int(status.get("bytes_done", 0)),
        bytes_total=int(status.get("total_bytes", 0)),
        current=tuple(status.get("current_files") or ()),
    )


def backup_summary(summary: Message) -> BackupResult:
    """Figures of a finished backup; bytes added are those written: after deduplication and compression."""
    return BackupResult(
        snapshot_id=str(summary["snapshot_id"]),
        files_new=int(summary.get("files_new", 0)),
        files_changed=int(summary.get("files_changed", 0)),
        files_unmodified=int(summary.get("files_unmodified", 0)),
        files_processed=int(summary.get("total_files_processed", 0)),
        bytes_processed=int(summary.get("total_bytes_processed", 0)),
        bytes_added=int(summary.get("data_added_packed") or summary.get("data_added") or 0),
        duration_seconds=float(summary.get("total_duration", 0)),
    )


def unreadable_path(error: Message, directory: str) -> UnreadablePath | None:
    """What an error message says about a path; None for those of the scan, which the backup itself repeats."""
    if error.get("during") == "scan" or not error.get("item"):
        return None
    item, root = str(error["item"]), directory.rstrip("/")
    inside = item.removeprefix(root) if item.startswith(f"{root}/") else f"/{item.removeprefix('/')}"
    return UnreadablePath(inside, _reason(error_words(error).strip()))


def is_about_the_store(error: Message) -> bool:
    """Whether an error tells of damage in the store that the backup makes good: nothing is missing from it for that."""
    words = error_words(error)
    return error.get("during") != "scan" and any(sign in words for sign in _MADE_GOOD)


def _reason(words: str) -> str:
    """Why, in the system's words; with what is missing, where that is not the content."""
    why = words.rpartition(": ")[2]
    if found := _ATTRIBUTE.search(words):
        return f"without its extended attribute {found['name']}: {why}"
    return f"with incomplete metadata: {why}" if _METADATA in words else why


def error_words(error: Message) -> str:
    """What an error message says went wrong."""
    nested = error.get("error")
    return str(nested.get("message", "") if isinstance(nested, dict) else error.get("message", ""))
