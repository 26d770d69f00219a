"""Which reporter of progress suits a stream: bars on a terminal, plain lines elsewhere."""

import sys
from typing import TextIO

from cairn_local.step_reporters import PlainReporter, Reporter


def open_reporter(stream: TextIO | None = None) -> Reporter:
    """Bars when `stream` (default: standard error) is a terminal, plain lines when it is not."""
    stream = stream or sys.stderr
    if not stream.isatty():
        return PlainReporter(stream)
    # Imported here: loading rich takes longer than all the rest of `cairn status`.
    from cairn_local.bar_reporter import BarReporter

    return BarReporter(stream)
