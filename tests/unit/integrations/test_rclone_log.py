import json

from integrations.rclone.log import RcloneLog
from integrations.sdk.redaction import Redactor


def take(*lines: dict[str, object] | bytes) -> RcloneLog:
    log = RcloneLog(Redactor(["canary"]))
    for line in lines:
        log.take(line if isinstance(line, bytes) else json.dumps(line).encode())
    return log


def test_the_last_words_are_kept_without_secrets() -> None:
    root = {"level": "error", "msg": "error reading source root directory: canary refused", "objectType": "*s3.Fs"}

    assert take(root).words == "error reading source root directory: *** refused"
    assert take(b"exec: no rclone with canary").words == "exec: no rclone with ***"
    assert take({"level": "info", "msg": "Copied (new)"}).words == ""
