"""Artifacts elsewhere: `https://` through httpx2, `s3://` and `gs://` through fsspec; the `remote` extra has both.

What is fetched goes to an unnamed temporary file, is read like a file of this machine, and is gone when it was read.
Credentials are those that the stores' own tools use: their configuration files and environment variables.
"""

import re
import tempfile
from collections.abc import Iterator
from typing import IO, Any

from flakehunter.errors import RemoteError, UsageError

_SCHEME = re.compile(r"(https?|s3|gs|gcs)://", re.IGNORECASE)
_SPOOL = 8 << 20
_TIMEOUT_S = 60.0
_HINT = "pip install 'flakehunter-ci[remote]'"


def is_remote(path: str) -> bool:
    """Whether an argument is a URL that `remote_files` can read."""
    return bool(_SCHEME.match(path))


def remote_files(url: str, max_bytes: int) -> Iterator[tuple[str, str, IO[bytes]]]:
    """Yield the files of a URL: where each is, its path below the URL, and its content; close each after use.

    An `https://` URL is one file. One of a store is an object, a pattern (`s3://bucket/2026/**/*.xml`), or everything
    below a prefix.

    Raises:
        UsageError: the extra is not installed, or there is no such file.
        RemoteError: the service fails, or a file is larger than `max_bytes`.
    """
    if url.lower().startswith("http"):
        yield _shown(url), _name(url), _download(url, max_bytes)
    else:
        yield from _stored(url, max_bytes)


def _download(url: str, max_bytes: int) -> IO[bytes]:
    try:
        import httpx2
    except ImportError as error:
        raise UsageError(f"{_shown(url)} needs the remote extra", hint=_HINT) from error
    content = tempfile.SpooledTemporaryFile(max_size=_SPOOL)  # noqa: SIM115 (the caller closes it)
    try:
        with httpx2.stream("GET", url, follow_redirects=True, timeout=_TIMEOUT_S) as response:
            if response.status_code in (401, 403, 404, 410):
                raise UsageError(
                    f"{_shown(url)}: {response.status_code} {response.reason_phrase}",
                    hint="check the URL; for artifacts of GitHub and GitLab use flakehunter fetch",
                )
            response.raise_for_status()
            for data in response.iter_bytes(1 << 18):
                _write(content, data, url, max_bytes)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        content.close()
        raise RemoteError(f"{_shown(url)}: {error}", url=_shown(url), hint="try again later") from error
    except BaseException:
        content.close()
        raise
    content.seek(0)
    return content


def _stored(url: str, max_bytes: int) -> Iterator[tuple[str, str, IO[bytes]]]:
    try:
        import fsspec  # type: ignore[import-untyped]

        files, root = fsspec.core.url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
    except ImportError as error:
        raise UsageError(f"{url} needs the remote extra ({error})", hint=_HINT) from error
    scheme = url.partition("://")[0]
    try:
        names = _names(files, root)
    except Exception as error:
        # Every store has errors of its own, from the network's to those of credentials.
        raise RemoteError(f"{url}: {_reason(error)}", url=url, hint="check bucket, region and credentials") from error
    if not names:
        raise UsageError(f"there is nothing at {url}", hint="check the bucket and the path")
    base = re.split(r"[*?]", root)[0].rpartition("/")[0] if len(names) > 1 or names[0] != root else ""
    for name in names:
        relative = name.removeprefix(base).lstrip("/") if base else name.rpartition("/")[2]
        yield f"{scheme}://{name}", relative, _object(files, name, f"{scheme}://{name}", max_bytes)


def _names(files: Any, root: str) -> list[str]:
    """Return the objects that a path or pattern names, those of JUnit before the logs of the same folder."""
    special = re.search(r"[*?]", root)
    if special:
        pattern = re.compile(_pattern(root))
        found = [name for name in files.find(root[: special.start()].rpartition("/")[0]) if pattern.fullmatch(name)]
    elif files.isfile(root):
        found = [root]
    else:
        found = files.find(root)
    return sorted(found, key=lambda name: (name.rpartition("/")[0], not name.lower().endswith(".xml"), name))


def _pattern(root: str) -> str:
    """Return the expression for a pattern: `*` within a name, `**` through folders, `?` for one character."""
    parts = re.split(r"(\*\*/?|\*|\?)", root)
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(words.get(part, re.escape(part)) for part in parts)


def _object(files: Any, name: str, url: str, max_bytes: int) -> IO[bytes]:
    content = tempfile.SpooledTemporaryFile(max_size=_SPOOL)  # noqa: SIM115 (the caller closes it)
    try:
        with files.open(name, "rb") as stream:
            while data := stream.read(1 << 20):
                _write(content, data, url, max_bytes)
    except RemoteError:
        content.close()
        raise
    except Exception as error:
        content.close()
        raise RemoteError(f"{url}: {_reason(error)}", url=url, hint="run the same command again") from error
    content.seek(0)
    return content


def _write(content: IO[bytes], data: bytes, url: str, max_bytes: int) -> None:
    content.write(data)
    if content.tell() > max_bytes:
        raise RemoteError(
            f"{_shown(url)} is larger than {max_bytes >> 20} MiB",
            url=_shown(url),
            hint="allow more with --max-unpacked",
        )


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _name(url: str) -> str:
    return _shown(url).rstrip("/").rpartition("/")[2] or "download"


def _shown(url: str) -> str:
    """Return a URL without its query, which may be signed, and without a password."""
    return re.sub(r"//[^/@]*@", "//", url.partition("?")[0])
