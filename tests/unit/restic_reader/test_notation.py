import stat
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from restic_reader.errors import Damaged
from restic_reader.restic_json import posix_mode, time_ns, unquote


@pytest.mark.parametrize(
    ("quoted", "name"),
    [
        ("plain.txt", b"plain.txt"),
        (r"new\nline", b"new\nline"),
        (r"\a\b\f\n\r\t\v\\\"", b'\a\b\f\n\r\t\v\\"'),
        (r"\xff\xfe", b"\xff\xfe"),
        (r"\x7f\x00", b"\x7f\x00"),
        (r"\\xff", rb"\xff"),
        (r"\u2028x\U0001f600", "\u2028x\U0001f600".encode()),
        (r"\101\377", b"A\xff"),
        ("日本 ü", "日本 ü".encode()),
        ("\ufffd", b"\xef\xbf\xbd"),
        ("it's", b"it's"),
        ("..", b".."),
    ],
)
def test_names_come_back_byte_for_byte(quoted: str, name: bytes) -> None:
    assert unquote(quoted) == name


@pytest.mark.parametrize(
    "quoted", ["\\", r"\q", r"\x", r"\xg0", r"\u12", r"\ud800", r"\U00110000", r"\400", r"\'", r"\8"]
)
def test_an_escape_that_go_refuses_is_damage(quoted: str) -> None:
    with pytest.raises(Damaged):
        unquote(quoted)


@given(st.binary(min_size=1, max_size=255))
def test_any_bytes_survive_quoting(name: bytes) -> None:
    quoted = "".join(chr(byte) if 32 <= byte < 127 and byte not in b'\\"' else f"\\x{byte:02x}" for byte in name)
    assert unquote(quoted) == name


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2014-12-06T17:50:23.34513538+01:00", 1_417_884_623_345_135_380),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("2000-02-29T12:00:00.5-05:30", 951_845_400_500_000_000),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000_000),
        ("0000-01-01T00:00:00Z", -62_167_219_200_000_000_000),
        ("9999-12-31T23:59:59.999999999Z", 253_402_300_799_999_999_999),
    ],
)
def test_times_keep_their_nanoseconds(text: str, nanoseconds: int) -> None:
    assert time_ns(text) == nanoseconds


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_agree_with_the_standard_library(moment: datetime) -> None:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    expected = (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000
    assert time_ns(moment.isoformat()) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Z",
        "yesterday",
        "2026-13-01T00:00:00Z",
        "2026-01-01 00:00:00Z",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:0xZ",
    ],
)
def test_what_is_no_time_is_damage(text: str) -> None:
    with pytest.raises(Damaged):
        time_ns(text)


@pytest.mark.parametrize(
    ("kind", "go_mode", "mode"),
    [
        ("file", 0o644, stat.S_IFREG | 0o644),
        ("dir", 1 << 31 | 0o755, stat.S_IFDIR | 0o755),
        ("dir", 1 << 31 | 1 << 20 | 0o777, stat.S_IFDIR | stat.S_ISVTX | 0o777),
        ("symlink", 1 << 27 | 0o777, stat.S_IFLNK | 0o777),
        ("file", 1 << 23 | 1 << 22 | 0o755, stat.S_IFREG | stat.S_ISUID | stat.S_ISGID | 0o755),
        ("dev", 1 << 26 | 0o660, stat.S_IFBLK | 0o660),
        ("chardev", 1 << 26 | 1 << 21 | 0o666, stat.S_IFCHR | 0o666),
        ("fifo", 1 << 25 | 0o600, stat.S_IFIFO | 0o600),
        ("socket", 1 << 24 | 0o755, stat.S_IFSOCK | 0o755),
        ("irregular", 1 << 19 | 0o600, 0o600),
    ],
)
def test_go_modes_become_posix_modes(kind: str, go_mode: int, mode: int) -> None:
    assert posix_mode(kind, go_mode) == mode
