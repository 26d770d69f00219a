"""Log lines in JSON, on standard output. python-json-logger writes them; what they may quote is decided here."""

import errno
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from contracts.errors import CairnError
from opentelemetry import trace
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter as BaseFormatter

_PLACES_SHOWN = 8
_OFTEN_HEARD = ("aiokafka", "pymongo", "opentelemetry", "asyncio", "asyncssh")


class JsonFormatter(BaseFormatter):
    """One JSON object a line: time, level, logger, message, the ids given as `extra`, trace and span id.

    Of an exception its type and places are kept, its words only when they are ours.
    """

    def __init__(self, service: str) -> None:
        # uvicorn repeats its messages with colours in them.
        super().__init__(reserved_attrs=[*RESERVED_ATTRS, "color_message"])
        self._service = service

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """See `BaseJsonFormatter`."""
        log_data |= {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
        }
        # A traceback shows the error's text, which may quote what it failed on, and with it a secret.
        super().add_fields(log_data, record, {k: v for k, v in message_dict.items() if k != "exc_info"})
        log_data["message"] = _message(record)
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            log_data |= {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}
        if record.exc_info and record.exc_info[0]:
            log_data |= {"error": _words(record.exc_info[1]), "at": _places(record)}


def _message(record: logging.LogRecord) -> str:
    message = record.getMessage()
    # On its further lines asyncio shows the failed task with the text of its error.
    return message.partition("\n")[0] if record.name == "asyncio" else message


def _words(error: BaseException | None) -> str:
    name = type(error).__name__
    if isinstance(error, CairnError):
        return f"{name}: {error}"
    number = errno.errorcode.get(error.errno or 0) if isinstance(error, OSError) else None
    return f"{name}: {number}" if number else name


def _places(record: logging.LogRecord) -> list[str]:
    places, trace_back = [], record.exc_info[2] if record.exc_info else None
    while trace_back is not None:
        code = trace_back.tb_frame.f_code
        places.append(f"{code.co_qualname}:{trace_back.tb_lineno}")
        trace_back = trace_back.tb_next
    return places[-_PLACES_SHOWN:]


def setup_logging(service: str, level: str) -> None:
    """Send every log record of the process to standard output as JSON lines."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _OFTEN_HEARD:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    # uvicorn brings handlers of its own; without them its records reach the one above.
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # Each request has a span and is counted already.
    logging.getLogger("uvicorn.access").setLevel(logging.CRITICAL)
