"""Artifacts behind a URL are read like files of this machine."""

import contextlib
import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import pytest

from flakehunter.cli.app import main
from tests.databases import url_at

Query = Callable[..., list[tuple[Any, ...]]]
XML = b'<testsuite name="s"><testcase classname="C" name="%s"/></testsuite>'


class Store:
    """Answers GET of files, and as much of S3's protocol as listing and reading takes (ListObjectsV2, Range)."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                url = urlsplit(self.path)
                query = parse_qs(url.query)
                if "list-type" in query:
                    prefix, ending = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
                    return self.reply(200, store.listing(url.path.strip("/"), prefix, ending))
                if url.path == "/moved":
                    return self.reply(302, b"", Location="/a.xml")
                data = store.files.get(url.path.lstrip("/"))
                if data is None:
                    return self.reply(404, b"<Error><Code>NoSuchKey</Code></Error>")
                asked = self.headers.get("Range", "")
                if asked:
                    first, _, last = asked.removeprefix("bytes=").partition("-")
                    part = data[int(first) : int(last) + 1 if last else None]
                    return self.reply(206, part, **{"Content-Range": f"bytes {first}-{last}/{len(data)}"})
                return self.reply(200, data)

            def do_HEAD(self) -> None:
                data = store.files.get(urlsplit(self.path).path.lstrip("/"))
                self.reply(404 if data is None else 200, data or b"")

            def reply(self, status: int, body: bytes, **headers: str) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Last-Modified", formatdate(0, usegmt=True))
                self.send_header("ETag", '"e"')
                self.end_headers()
                if self.command != "HEAD":
                    # A client that has had enough closes the connection.
                    with contextlib.suppress(ConnectionError):
                        self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def listing(self, bucket: str, prefix: str, ending: str) -> bytes:
        """Return the objects of a bucket below a prefix; what goes on after `ending` is a common prefix of several."""
        keys = [name.partition("/")[2] for name in sorted(self.files) if name.startswith(f"{bucket}/{prefix}")]
        below = {
            key: key[len(prefix) :].partition(ending)[0] for key in keys if ending and ending in key[len(prefix) :]
        }
        keys = [key for key in keys if key not in below]
        folders = "".join(
            f"<CommonPrefixes><Prefix>{prefix}{name}{ending}</Prefix></CommonPrefixes>"
            for name in dict.fromkeys(below.values())
        )
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.files[f'{bucket}/{key}'])}</Size>"
            "<LastModified>2026-05-01T00:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag></Contents>"
            for key in keys
        )
        head = '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        about = f"<Name>{bucket}</Name><Prefix>{prefix}</Prefix><KeyCount>{len(keys)}</KeyCount>"
        return f"{head}{about}<IsTruncated>false</IsTruncated>{rows}{folders}</ListBucketResult>".encode()

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def store() -> Iterator[Store]:
    """Return a store with a file, an archive and a bucket."""
    server = Store()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("reports/junit.xml", XML % b"zipped")
    server.files |= {"a.xml": XML % b"a", "in/b.zip": stream.getvalue()}
    server.files |= {"bucket/1/junit.xml": XML % b"one", "bucket/2/junit.xml": XML % b"two", "bucket/2/a.bin": b"\0"}
    yield server
    server.close()


NAMES = "SELECT t.name, a.path FROM results r JOIN test_cases t ON t.id = r.test_case_id JOIN artifacts a ON a.id = r.artifact_id ORDER BY 1"  # noqa: E501


def test_files_and_archives_behind_http(store: Store, tmp_path: Path, query: Query) -> None:
    db = url_at(tmp_path / "a.db")
    urls = [f"{store.url}/moved?sig=s3cret", f"{store.url}/in/b.zip"]
    assert main(["ingest", *urls, "--run-id", "1", "--db", db]) == 0
    assert query(db, NAMES) == [
        ("a", f"{store.url}/moved"),
        ("zipped", f"{store.url}/in/b.zip/reports/junit.xml"),
    ]


@pytest.mark.parametrize(
    ("path", "code", "message"), [("none.xml", 2, "404 Not Found"), ("in/b.zip", 6, "larger than")]
)
def test_what_cannot_be_fetched_is_told(
    path: str, code: int, message: str, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store.files["in/b.zip"] = b"x" * (2 << 20)
    arguments = ["ingest", f"{store.url}/{path}", "--db", url_at(tmp_path / "a.db"), "--max-unpacked", "1"]
    assert main(arguments) == code
    error = capsys.readouterr().err
    assert message in error
    assert "hint:" in error


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("s3://bucket", [("one", "1/junit.xml"), ("two", "2/junit.xml")]),
        ("s3://bucket/2/", [("two", "2/junit.xml")]),
        ("s3://bucket/**/j?nit.*", [("one", "1/junit.xml"), ("two", "2/junit.xml")]),
        ("s3://bucket/*/junit.xml", [("one", "1/junit.xml"), ("two", "2/junit.xml")]),
        ("s3://bucket/1/junit.xml", [("one", "1/junit.xml")]),
    ],
    ids=["bucket", "prefix", "deep", "pattern", "object"],
)
def test_objects_of_a_bucket(
    url: str, found: list[tuple[str, str]], store: Store, tmp_path: Path, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("ACCESS_KEY_ID", "k"), ("SECRET_ACCESS_KEY", "s"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.url)
    db = url_at(tmp_path / "a.db")
    assert main(["ingest", url, "--run-id", "1", "--db", db]) == 0
    assert query(db, NAMES) == [(name, f"s3://bucket/{path}") for name, path in found]


def test_a_server_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ingest", "http://127.0.0.1:9/x.xml", "--db", url_at(tmp_path / "a.db")]) == 6
    assert "http://127.0.0.1:9/x.xml" in capsys.readouterr().err
