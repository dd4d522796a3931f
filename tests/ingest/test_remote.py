"""Folders and tables in a store are listed as those on a disk are, and refused in one line."""

import re
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from threading import Thread

import pandas as pd
import pytest
from stores import forget_stores, served_bucket

from audit import remote
from audit.errors import UnauditableError, UsageError
from audit.ingest import open_dataset
from audit.ingest.trees import NAMELESS
from audit.measures import MeasureImage, hash_of_file, measure
from audit.places import Url, is_remote, joined, place_of, shown
from audit.remote import ListedFile, StoreLostError, list_files, list_folder, read_file

PNG_START = b"\x89PNG\r\n\x1a\n"
ODD = ("a b.png", "c#d.png", "e?f.png", "g%20h.png", "ä.png", "k+l.png", "m&n;o'.png", "=x.png",
       "?versions=1.png", "~.png")
NAMES = ("train/cat/2.jpg", "train/cat/10.jpg", "train/cat/deep/er/3.jpg", "train/dog #1/b.png",
         "train/dog #1/empty.png", "test/cat/whole", "test/cat/Thumbs.db", "test/cat/.cache/2.png",
         "test/cat/notes.txt", "test/cat/odd.bin", "test/.git/x.png", "README", "loose.png",
         *(f"test/cafe\u0301/{name}" for name in ODD))


@pytest.fixture
def memory():
    """An empty file system that only this process sees."""
    fsspec = pytest.importorskip("fsspec", reason="the extra [remote] is not installed")
    store = fsspec.filesystem("memory")
    store.store.clear()
    store.pseudo_dirs[:] = [""]
    forget_stores()
    yield store
    store.store.clear()
    forget_stores()


@pytest.fixture(scope="module")
def bucket():
    with served_bucket() as bucket:
        yield bucket


def content_of(name):
    return b"" if name.endswith(("empty.png", "README", "notes.txt", "odd.bin")) else PNG_START


@pytest.fixture
def local(tmp_path):
    for name in NAMES:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content_of(name))
    return tmp_path / "data"


@pytest.fixture(params=["memory", "s3"])
def stored(request):
    """The URL of the same files in a store."""
    if request.param == "memory":
        store = request.getfixturevalue("memory")
        for name in NAMES:
            store.pipe(f"/data/{name}", content_of(name))
        yield Url("memory://data")
    else:
        bucket = request.getfixturevalue("bucket")
        for name in NAMES:
            bucket.put(f"data/{name}", content_of(name))
        yield Url(f"{bucket.url}/data")


def test_a_store_is_listed_as_the_same_folder_on_a_disk(local, stored):
    here, there = open_dataset(local), open_dataset(stored)
    assert here.manifest.drop(columns="path").equals(there.manifest.drop(columns="path"))
    assert dict(here.not_counted) == dict(there.not_counted)
    assert here.empty_classes == there.empty_classes
    assert here.notes == there.notes
    assert there.manifest["path"].tolist() == [
        f"{stored}/{name}" for name in there.manifest["image_id"]]
    assert all(there.listed[path].bytes == len(content_of(path)) for path in there.manifest["path"])


def test_every_name_can_be_read(stored):
    for path in open_dataset(stored).manifest["path"]:
        assert read_file(path, 100) == content_of(path), path
        assert hash_of_file(path)


def test_listing_asks_once_a_folder_and_looks_into_no_image(bucket):
    for name in NAMES:
        bucket.put(f"data/{name}", content_of(name))
    bucket.requests.clear()
    open_dataset(Url(f"{bucket.url}/data"))
    folders = {name.rpartition("/")[0] for name in NAMES if "/." not in name}
    assert len(bucket.listings()) == len(folders | {"", "train", "test", "train/cat/deep"})
    assert dict(bucket.read()) == {"data/test/cat/whole": 1}
    assert bucket.others() == []


def test_a_listing_of_more_than_one_page_is_whole(bucket, monkeypatch):
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "10")
    for number in range(25):
        bucket.put(f"many/cat/{number}.png", b"")
    bucket.requests.clear()
    assert len(open_dataset(Url(f"{bucket.url}/many")).manifest) == 25
    assert len(bucket.listings()) == 4  # the root, and three pages


def test_markers_of_empty_folders_and_names_without_a_part(bucket):
    bucket.put("marked/dog/", b"")
    bucket.put("marked/cat/1.png", PNG_START)
    bucket.put("marked/cat//2.png", PNG_START)
    ingested = open_dataset(Url(f"{bucket.url}/marked"))
    assert ingested.manifest["image_id"].tolist() == ["cat/1.png"]
    assert ingested.empty_classes == ("dog",)
    assert list(ingested.not_counted.values()) == [NAMELESS]


def test_what_changes_in_a_store_changes_the_mark(bucket):
    bucket.put("marks/cat/1.png", b"one")
    url = f"{bucket.url}/marks/cat"
    first, = list_folder(url)
    again, = list_folder(url)
    bucket.put("marks/cat/1.png", b"two")
    changed, = list_folder(url)
    assert first.told == again.told != changed.told
    assert first.told.bytes == changed.told.bytes
    assert 0 <= first.told.mark < 2**63, "the cache holds signed numbers of 64 bits"


def test_a_file_of_which_only_a_recent_time_is_told_is_never_taken_for_unchanged(
        memory, monkeypatch):
    memory.pipe("/data/cat/1.png", PNG_START)
    assert list_folder("memory://data/cat")[0].told == ListedFile(8, None)
    monkeypatch.setattr(remote, "SETTLED_S", -1.0)
    assert list_folder("memory://data/cat")[0].told.mark is not None


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_table_beside_its_images_names_them_relative_to_itself(stored, form, memory, bucket):
    frame = pd.DataFrame({
        "path": ["train/cat/2.jpg", "./test/cafe\u0301/e?f.png", "train/../README", "gone.png",
                 f"{stored}/train/cat/10.jpg"], "label": list("abcda")})
    buffer = frame.to_csv(index=False).encode() if form == "csv" else frame.to_parquet()
    if stored.scheme == "memory":
        memory.pipe(f"/data/labels.{form}", buffer)
    else:
        bucket.put(f"data/labels.{form}", buffer)
    ingested = open_dataset(Url(f"{stored}/labels.{form}"))
    assert ingested.manifest["image_id"].tolist() == [
        "train/cat/2.jpg", "test/cafe\u0301/e?f.png", "README", "gone.png",
        f"{stored}/train/cat/10.jpg"]
    assert [path in ingested.listed for path in ingested.manifest["path"]] == [
        True, True, True, False, True]
    assert read_file(ingested.manifest["path"][1]) == PNG_START


def test_a_table_on_a_disk_may_name_images_in_a_store(stored, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text(f"path,label\ntrain/cat/2.jpg,x\n{tmp_path}/1.png,y\n")
    assert open_dataset(stored, table).manifest["path"].tolist() == [
        f"{stored}/train/cat/2.jpg", f"{tmp_path}/1.png"]
    table.write_text("path,label\nelse/2.jpg,x\n")
    with pytest.raises(UsageError, match=rf"no image .*{stored}/else/2.jpg"):
        open_dataset(stored, table)


def test_a_folder_that_may_not_be_listed_hides_no_image_of_a_table(bucket, monkeypatch):
    def refuse(_folder):
        raise PermissionError(13, "Access Denied")

    monkeypatch.setattr(remote, "list_folder", refuse)
    url = f"{bucket.url}/data/train/cat/2.jpg"
    assert list_files([url, "https://example.org/1.png"]) == {
        url: ListedFile(), "https://example.org/1.png": ListedFile()}


def test_secrets_of_a_table_are_kept(tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("path,label\nhttps://example.org/cat/1.png?signature=hush,x\n")
    manifest = open_dataset(table).manifest
    assert manifest["image_id"].tolist() == ["https://example.org/cat/1.png"]
    assert manifest["path"].tolist() == ["https://example.org/cat/1.png?signature=hush"]
    assert measure.extension_of(manifest["path"][0]) == ".png"
    table.write_text("path,label\nsftp://me:hush@example.org/1.png,x\n")
    with pytest.raises(UsageError, match=r"password in sftp://me:\.\.\.@example.org") as caught:
        open_dataset(table)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(("path", "words"), [
    ("s3://no-such-bucket-here/x", "does not exist"),
    ("{url}/nowhere", "does not exist"),
    ("{url}/nowhere.csv", "does not exist"),
    ("{url}/data/loose.png", "neither a folder nor a table"),
    ("gs://bucket/x", r"gs://bucket needs a package that is not installed \(.*gcsfs"),
    ("foo://bucket/x", "knows no store of foo://bucket"),
    ("https://example.org/photos", "on a web server.*Give a table"),
])
def test_what_is_not_there_is_refused_in_one_line(bucket, path, words):
    if path.startswith("gs") and find_spec("gcsfs"):
        pytest.skip("gcsfs is installed")
    bucket.put("data/loose.png", PNG_START)
    with pytest.raises(UsageError, match=words) as caught:
        open_dataset(Url(path.format(url=bucket.url)))
    assert "\n" not in str(caught.value)


def test_a_bucket_without_images_says_what_was_looked_at(bucket):
    bucket.put("texts/cat/a.txt", b"x")
    with pytest.raises(UnauditableError, match=r"no images under s3://.*1 \.txt"):
        open_dataset(Url(f"{bucket.url}/texts"))


def test_without_fsspec_it_is_said_what_to_install(monkeypatch):
    forget_stores()
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(UsageError, match=r"needs fsspec.*image-audit\[remote\]"):
        open_dataset(Url("s3://bucket/photos"))


@pytest.mark.parametrize(("environment", "words"), [
    ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no credentials"),
    ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}, "does not answer"),
])
def test_a_store_that_does_not_answer_is_lost_for_all_images(bucket, monkeypatch, environment,
                                                             words):
    monkeypatch.setattr(remote, "WAITS_S", ())
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    forget_stores()
    try:
        with pytest.raises(StoreLostError, match=words):
            open_dataset(Url(f"{bucket.url}/data"))
        with pytest.raises(StoreLostError, match=words):
            MeasureImage(None)((0, f"{bucket.url}/data/train/cat/2.jpg"))
    finally:
        forget_stores()


@pytest.fixture
def web(tmp_path):
    """A web server of a folder of this test's, and its address."""
    pytest.importorskip("aiohttp", reason="the extra [remote] is not installed")
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_images_of_a_web_server_are_read(web, tmp_path):
    (tmp_path / "a b.png").write_bytes(PNG_START)
    (tmp_path / "empty.png").touch()
    assert read_file(f"{web}/a%20b.png?signature=hush") == PNG_START
    assert read_file(f"{web}/empty.png", 100) == b""
    found = MeasureImage(Sized())((0, f"{web}/none.png?signature=hush")).measures
    assert (found["problem_kind"], found["extension"]) == ("missing", ".png")
    assert "hush" not in found["problem"]


def test_a_web_server_that_is_gone_is_a_finding(monkeypatch):
    pytest.importorskip("aiohttp", reason="the extra [remote] is not installed")
    monkeypatch.setattr(remote, "WAITS_S", ())
    found = MeasureImage(Sized())((0, "http://127.0.0.1:9/1.png?signature=hush")).measures
    assert found["problem_kind"] == "corrupt"
    assert "hush" not in found["problem"]


class Sized:
    """As far as images that cannot be read have use for a store of tensors."""

    size = 64


class Failing:
    """A store that fails a number of times before it gives what it has."""

    def __init__(self, *errors):
        self.errors = list(errors)

    def cat_file(self, _path, start, end):
        if self.errors:
            raise self.errors.pop(0)
        return PNG_START[start:end]


@pytest.mark.parametrize(("errors", "kind", "words"), [
    ([OSError(5, "slow down")] * 3, "corrupt", "cannot identify"),  # read at last
    ([OSError(5, "slow down")] * 4, "corrupt", "cannot be read: OSError: .*slow down"),
    ([RuntimeError("at https://me:secret@host/x?key=secret")] * 4, "corrupt",
     r"RuntimeError: at https://me:\.\.\.@host/x$"),
    ([FileNotFoundError("x")], "missing", "No such file"),
    ([PermissionError("Access Denied")], "corrupt", "Access Denied"),
    ([OSError(22, "The requested range is not satisfiable")], "empty", "0 bytes"),
])
def test_what_a_store_raises_is_a_finding_of_the_image(monkeypatch, errors, kind, words):
    store = Failing(*errors)
    monkeypatch.setattr(remote, "WAITS_S", (0.0, 0.0, 0.0))
    monkeypatch.setattr(remote, "_store", lambda _base: (store, "bucket"))
    found = MeasureImage(Sized())((0, "s3://bucket/1.png")).measures
    assert found["problem_kind"] == kind
    assert re.search(words, found["problem"])
    assert "secret" not in found["problem"]
    assert store.errors == []


def test_a_file_too_large_is_not_read_further(memory, monkeypatch):
    monkeypatch.setattr(measure, "MAX_FILE_BYTES", 10)
    memory.pipe("/data/large.png", b"x" * 100)
    found = MeasureImage(Sized())((0, "memory://data/large.png")).measures
    assert found["problem_kind"] == "bomb"
    assert read_file("memory://data/large.png", 10) == b"x" * 10


@pytest.mark.parametrize(("text", "place"), [
    ("s3://bucket/photos/", Url("s3://bucket/photos")), ("s3://bucket", Url("s3://bucket")),
    ("hf://datasets/me/cats", Url("hf://datasets/me/cats"))])
def test_urls_are_told_from_paths(text, place):
    assert place_of(text) == place
    assert isinstance(place_of(text), Url)
    assert is_remote(text)


@pytest.mark.parametrize(("text", "path"), [
    ("photos", "photos"), ("/a/s3:/b", "/a/s3:/b"), ("file:///a/b", "/a/b"), ("C:/x", "C:/x"),
    ("a://b", "a:/b")])
def test_paths_are_told_from_urls(text, path):
    assert str(place_of(text)) == path
    assert not isinstance(place_of(text), Url)


@pytest.mark.parametrize(("text", "words"), [
    ("s3://", "names no bucket"), ("simplecache::s3://b/x", "chains"),
    ("ftp://me:secret@host/y", "holds a password"),
    ("https://host/labels.csv?sig=secret", "query")])
def test_places_that_cannot_be_meant_or_recorded_are_refused(text, words):
    with pytest.raises(UsageError, match=words) as caught:
        place_of(text)
    assert "secret" not in str(caught.value)


def test_parts_of_urls():
    url = Url("s3://bucket/a/labels.csv")
    assert (url.name, url.stem, url.suffix, url.parent) == (
        "labels.csv", "labels", ".csv", "s3://bucket/a")
    assert Url("s3://bucket/x.csv").parent == Url("s3://bucket").parent == "s3://bucket"
    assert joined(Url("s3://bucket/a"), "../b//c.png") == "s3://bucket/b/c.png"
    assert joined(Url("s3://bucket"), "c.png") == "s3://bucket/c.png"
    assert joined(Url("s3://bucket"), "gs://other/c.png") == "gs://other/c.png"
    assert shown("s3://bucket/a?b#c") == "s3://bucket/a?b#c"
    assert shown("http://host/a?b") == "http://host/a"
