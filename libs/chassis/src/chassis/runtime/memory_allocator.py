"""Settings of the C library's allocator: how the process gets its memory from the system."""

import ctypes

# Numbers of glibc's `malloc.h`, which ctypes cannot read.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_REUSED_BYTES, _LEFT_OVER_BYTES = 8 << 20, 16 << 20


def reuse_memory() -> None:
    """Let pieces of some MiB that come and go, as in a stream, be the same memory again and again.

    By itself the C library gives such pieces back to the system and asks for them anew, a page at a time; that is a
    quarter of the time that reading a store takes. In return there is one heap for all threads, as only one of them
    runs Python at a time, and up to 16 MiB that are free stay with the process. Source: glibc's manual, `mallopt`;
    elsewhere nothing is done.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    # Another C library, such as musl, has no `mallopt`.
    except (AttributeError, OSError):
        return
    mallopt(_ARENA_MAX, 1)
    mallopt(_MMAP_THRESHOLD, _REUSED_BYTES)
    mallopt(_TRIM_THRESHOLD, _LEFT_OVER_BYTES)
