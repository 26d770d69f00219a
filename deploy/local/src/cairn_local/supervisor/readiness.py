"""Whether it is our process that answers: another platform's may have taken the port in between."""

import psutil

from cairn_local.health import is_healthy, is_socket, parse_address
from cairn_local.process_plan import ProcessSpec
from cairn_local.supervisor.process_record import Running, find_process


def is_serving(spec: ProcessSpec, running: Running | None) -> bool:
    """Whether the server of `spec` answers as it should, and the recorded process is the one that listens."""
    process = find_process(running)
    return process is not None and is_healthy(spec.check) and _listens(process, spec)


def _listens(process: psutil.Process, spec: ProcessSpec) -> bool:
    if is_socket(spec.check.address):
        # The socket is in a private folder of this platform.
        return True
    port = parse_address(spec.check.address)[1]
    try:
        family = [process, *process.children(recursive=True)]
        connections = [connection for member in family for connection in member.net_connections("tcp")]
    except psutil.AccessDenied:
        # A program with more rights than we have. It answers, and more cannot be known.
        return True
    except psutil.NoSuchProcess:
        return False
    return any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in connections)
