"""Numbers, articles and durations as users read them."""

from contracts.wording import counted, seconds, with_article


def test_one_thing_is_named_in_the_singular() -> None:
    assert [counted(count, "restore point") for count in (0, 1, 2)] == [
        "0 restore points",
        "1 restore point",
        "2 restore points",
    ]
    assert [counted(count, "entry", "entries") for count in (1, 2)] == ["1 entry", "2 entries"]


def test_an_article_fits_what_it_stands_before() -> None:
    assert [with_article(each) for each in ("backup", "rm", "restore", "initialize")] == [
        "a backup",
        "an rm",
        "a restore",
        "an initialize",
    ]


def test_long_times_have_no_exponent() -> None:
    assert [seconds(each) for each in (10**10, 1e10, 90.0, 1.5)] == ["10000000000 s", "10000000000 s", "90 s", "1.5 s"]
