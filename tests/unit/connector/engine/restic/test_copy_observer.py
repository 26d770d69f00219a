"""What restic's lines about a copy come to."""

from connector.engine.port import Progress
from connector.engine.restic.copy_observer import CopyObserver

LINES = b"""
snapshot 157f3841 of [/data] at 2026-11-28 12:20:11.411435818 +0000 UTC by root@vm
  copy started, this may take a while...
  copy 81 blobs with disk size 57.000 MiB in 5 packfiles
[0:00] 0.00%  0 / 5 packs copied
[0:01] 80.00%  4 / 5 packs copied
[0:01] 100.00%  5 / 5 packs copied

snapshot 45191a61 of [/data] at 2026-11-28 12:20:12.888256896 +0000 UTC by root@vm
  copy started, this may take a while...
  copy 2 blobs with disk size 512 B in 2 packfiles
[0:00] 50.00%  1 / 2 packs copied

snapshot d4f75235 saved, copied from source snapshot 157f3841
snapshot 9d9dd532 saved
"""


def test_progress_goes_over_all_snapshots_and_each_copy_is_logged() -> None:
    told: list[Progress] = []
    log: list[str] = []
    observer = CopyObserver(4, on_progress=told.append, on_log=lambda _, text: log.append(text))

    for line in LINES.splitlines():
        observer.listener.on_output(line)
    last = told[-1]
    observer.finish()

    assert [each.fraction for each in told] == sorted(each.fraction for each in told)
    assert (last.fraction, last.bytes_done, last.bytes_total) == (1.5 / 4, (57 << 20) + 256, (57 << 20) + 512)
    assert (told[-1].fraction, observer.bytes_copied) == (1.0, (57 << 20) + 512)
    assert log == ["Copied restore point 157f3841 as d4f75235.", "Copied a restore point as 9d9dd532."]
