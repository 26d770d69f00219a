import json

from chassis.scrubbing import Scrubber
from connector.engine.places import UnreadablePath
from connector.integrations.rclone.log import RcloneLog


def take(*lines: dict[str, object] | bytes) -> RcloneLog:
    log = RcloneLog(lambda *_: None, Scrubber(["canary"]))
    for line in lines:
        log.take(line if isinstance(line, bytes) else json.dumps(line).encode())
    return log


def test_objects_and_directories_that_cannot_be_read_are_told_once() -> None:
    failed = {
        "level": "error",
        "msg": "Failed to copy: open /x/a: name too long",
        "object": "a",
        "objectType": "*s3.Object",
    }
    unread = {
        "level": "error",
        "msg": "error reading source directory: i/o timeout",
        "object": "d",
        "objectType": "string",
    }

    log = take(failed, failed, unread)

    assert log.problems == (UnreadablePath("/a", "name too long"), UnreadablePath("/d", "i/o timeout"))


def test_what_happens_to_objects_otherwise_is_no_problem() -> None:
    assert take({"level": "info", "msg": "Copied (new)", "object": "a", "objectType": "*s3.Object"}).problems == ()


def test_the_last_words_are_kept_without_secrets() -> None:
    root = {"level": "error", "msg": "error reading source root directory: canary refused", "objectType": "*s3.Fs"}

    assert take(root).words == "error reading source root directory: *** refused"
    assert take(b"exec: no rclone with canary").words == "exec: no rclone with ***"
    assert take(root).problems == ()
