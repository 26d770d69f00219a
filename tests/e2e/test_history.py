"""What became of files between two restore points, beside what `restic diff` tells of them."""

import json
import os
import shutil
from pathlib import Path
from urllib.parse import quote

import pytest
from cairn_local.api_client import Api, ApiProblem, Json

from tests.e2e.conftest import CANARY, Directory
from tests.integration.restic_reader.restic_cli import Restic


class Story:
    """A source that was backed up, worked on, and backed up again."""

    def __init__(self, api: Api, directory: Directory, tree: Path, folder: Path, restic: Path) -> None:
        self.api, self.tree, self.repository, self.restic = api, tree, folder / "store", restic
        _, self.source = directory("source", tree)
        _, self.store = directory("store", self.repository)
        api.post(f"/connectors/{self.store}/stores/create")
        for n in range(30):
            (tree / "documents" / f"page-{n:02}").write_bytes(os.urandom(100 + n))
        self.old = self._back_up()
        self._work()
        self.new = self._back_up()

    def _back_up(self) -> str:
        job = self.api.wait_for_run(self.api.start_backup(self.source, self.store))
        assert job["status"] == "succeeded", self.api.job_log(job["id"])
        points = self.api.snapshots(self.store)
        return str(max(points, key=lambda p: p["creation_time"])["snapshot_id"])

    def _work(self) -> None:
        documents, tree = self.tree / "documents", self.tree
        (documents / "letter.txt").write_bytes(b"Dear editor,\n" * 1001)
        (documents / "page-03").unlink()
        (documents / "page-04").chmod(0o600)
        os.utime(documents / "page-05", (1_700_000_000, 1_700_000_000))
        (documents / "page-06").rename(documents / "chapter-06")
        (documents / "page-07").unlink()
        (documents / "page-07").mkdir()
        (documents / "page-07" / "inside").write_text("a file became a directory")
        shutil.copytree(documents / "empty", tree / "new" / "empty")
        (tree / "link").unlink()
        (tree / "link").symlink_to("/etc/hosts")
        Path(os.fsdecode(os.fsencode(tree) + b"/caf\xe9.txt")).write_text("still no UTF-8")
        (tree / "archive").mkdir()
        (tree / "pictures").rename(tree / "archive" / "pictures-2025")

    def diff(self, query: str = "") -> Json:
        """A page of what differs."""
        return dict(self.api.get(f"/snapshots/{self.old}/diff/{self.new}{query}"))

    def versions(self, path: bytes) -> list[Json]:
        """The versions of a file."""
        return list(self.api.get(f"/connectors/{self.source}/versions?path={quote(path, safe='')}")["items"])

    def told_by_restic(self) -> dict[str, set[str]]:
        """Paths by what `restic diff` says of them: `+`, `-`, and whatever else it says."""
        restic = Restic(self.restic, str(self.repository), password=f"{CANARY}-passphrase")
        told: dict[str, set[str]] = {"+": set(), "-": set(), "changed": set()}
        for line in map(json.loads, restic.run("diff", "--json", "--metadata", self.old, self.new).splitlines()):
            if line["message_type"] == "change":
                kind = line["modifier"] if line["modifier"] in "+-" else "changed"
                told[kind].add(line["path"].rstrip("/"))
        return told


@pytest.fixture(scope="module")
def kept() -> dict[str, Story]:
    return {}


@pytest.fixture
def story(api: Api, directory: Directory, tree: Path, tmp_path: Path, restic: Path, kept: dict[str, Story]) -> Story:
    """Made once for all tests here."""
    if "story" not in kept:
        (tree / "pictures" / "summer").mkdir(parents=True)
        for n in range(5):
            (tree / "pictures" / "summer" / f"{n}.jpg").write_bytes(os.urandom(1000))
        (tree / "pictures" / "cover.jpg").write_bytes(os.urandom(1000))
        kept["story"] = Story(api, directory, tree, tmp_path, restic)
    kept["story"].api = api
    return kept["story"]


def below(path: str, root: Path) -> set[str]:
    """What restic tells of a directory that moved as a whole."""
    return {path, *("/" + str(p.relative_to(root)) for p in (root / path[1:]).rglob("*"))}


def test_what_differs_is_what_restic_tells(story: Story) -> None:
    rows = story.diff()["items"]
    told = story.told_by_restic()
    moved = {row["from"]: row["path"] for row in rows if row["change"] == "moved"}
    assert moved == {
        "/documents/page-06": "/documents/chapter-06",
        "/pictures": "/archive/pictures-2025",
    }
    arrived = below("/archive/pictures-2025", story.tree) | {"/documents/chapter-06"}
    left = {path.replace("/archive/pictures-2025", "/pictures") for path in arrived - {"/documents/chapter-06"}}
    by_kind = {kind: {row["path"] for row in rows if row["change"] == kind} for kind in ("added", "removed", "changed")}
    of_restic = {kind: {path.replace("\udce9", "\\xe9") for path in paths} for kind, paths in told.items()}
    retyped = by_kind["added"] & by_kind["removed"]
    assert retyped == {"/documents/page-07"}
    unseen = {"/documents/page-07/inside"}  # restic does not look into a directory that was a file before
    assert (by_kind["added"] - retyped - unseen) | arrived == of_restic["+"] - retyped
    assert (by_kind["removed"] - retyped) | left | {"/documents/page-06"} == of_restic["-"] - retyped
    ours = {path for path in by_kind["changed"] if not path.startswith("/caf")}
    assert ours == {path for path in of_restic["changed"] - retyped if not path.startswith("/caf")}
    what = {row["path"]: row["changed"] for row in rows if row["change"] == "changed"}
    assert what["/documents/letter.txt"] == ["content", "size", "mtime"]
    assert what["/documents/page-04"] == ["mode"]
    assert what["/documents/page-05"] == ["mtime"]
    assert what["/documents"] == ["mtime"]
    assert what["/link"][0] in ("mtime", "link_target")
    assert "content" in what["/caf\\xe9.txt"]


def test_pages_and_the_stream_tell_the_same(story: Story) -> None:
    whole = story.diff()
    paged, query = [], "?limit=4"
    while query:
        page = story.diff(query)
        paged += page["items"]
        query = f"?limit=4&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    assert paged == whole["items"]
    path = f"/snapshots/{story.old}/diff/{story.new}"
    for answer in (
        story.api.call("GET", path, headers={"Accept": "application/x-ndjson"}),
        story.api.call("GET", f"{path}?stream=true"),
    ):
        assert answer.headers["content-type"] == "application/x-ndjson"
        *rows, last = [json.loads(line) for line in answer.text.splitlines()]
        assert rows == whole["items"]
        assert last == {"summary": whole["summary"], "moves_complete": True}
    with story.api.stream("GET", f"{path}?stream=true") as left:
        assert next(left.iter_lines())
    below_documents = story.diff("?path=/documents")["items"]
    assert below_documents == [row for row in whole["items"] if row["path"].startswith("/documents/")]
    assert story.api.get(f"/snapshots/{story.new}/diff/{story.new}")["items"] == []


def test_versions_of_a_file(story: Story) -> None:
    newest, oldest = story.versions(b"/documents/letter.txt")
    assert (newest["changed"], oldest["changed"]) == (["content", "size", "mtime"], [])
    assert (newest["entry"]["size"], oldest["entry"]["size"]) == (13013, 13000)
    assert [p["snapshot_id"] for p in oldest["restore_points"]] == [story.old]
    assert [p["snapshot_id"] for p in newest["restore_points"]] == [story.new]
    assert [v["changed"] for v in story.versions(b"/documents/page-03")] == [["removed"], []]
    assert [v["changed"] for v in story.versions(b"/documents/page-07/inside")] == [["created"]]
    assert [v["changed"] for v in story.versions(b"/documents/page-08")] == [[]]
    assert [v["restore_point_count"] for v in story.versions(b"/documents/page-08")] == [2]
    assert len(story.versions(b"/caf\xe9.txt")) == len(story.versions(b"/caf\\xe9.txt")) == 2
    assert len(story.versions(os.fsencode(story.tree) + b"/link")) == 2


def test_odd_questions_are_refused(story: Story) -> None:
    comparisons = {
        "{new}?path=/nothing": 404, "{new}?path=/link": 400, "{new}?path=../x": 400, "{new}?path=/%00": 400,
        "{new}?cursor=AAAA": 400, "{new}?cursor=%C3%A9": 400, "{new}?limit=0": 400, "{new}?limit=x": 400,
        "{new}?stream=perhaps": 400, "{new}?stream=true&path=/nothing": 404, "{new}?cursor=" + "A" * 21000: 400,
        "0" * 64: 404, "nothing": 404, "%2E%2E": 404, "%00": 404,
    }  # fmt: skip
    versions = {
        "{source}/versions?path=/nothing": 404, "{source}/versions?path=/a/../b": 400,
        "{source}/versions?path=%00": 400, "{source}/versions": 400, "{source}/versions?path=/link&cursor=x": 400,
        "{source}/versions?path=/link&limit=-1": 400, "{store}/versions?path=/link": 404,
        "nothing/versions?path=/link": 404,
    }  # fmt: skip
    questions = {f"/snapshots/{story.old}/diff/{asked}": status for asked, status in comparisons.items()}
    for question, status in {**questions, **{f"/connectors/{asked}": s for asked, s in versions.items()}}.items():
        with pytest.raises(ApiProblem) as refused:
            story.api.get(question.format(new=story.new, source=story.source, store=story.store))
        assert refused.value.status == status, question
        assert refused.value.code
