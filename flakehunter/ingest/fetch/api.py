"""A patient client for REST APIs: rate limits and failures are waited for, tokens stay with the service they are for.

The rules are those of the services' documentation: GitHub's "Rate limits for the REST API" (`retry-after`,
`x-ratelimit-remaining`, `x-ratelimit-reset`, status 403 or 429), GitLab's "Rate limits" (429, `Retry-After`), and
RFC 9110, section 10.2.3, for `Retry-After` elsewhere.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from flakehunter.errors import RemoteError, UsageError

if TYPE_CHECKING:
    from httpx2 import Response

T = TypeVar("T")

TRIES = 6
"""Requests for one thing before it counts as failed; waits for rate limits are not among them."""
_BACKOFF_S = 1.0
_REDIRECTS = 5
_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Service:
    """Where an API is, how it is spoken to, and what to tell a user who may not."""

    name: str
    base: str
    """URL of the API without a slash at its end."""
    headers: Mapping[str, str]
    """Sent to the API's own origin only, never to where it redirects: a token is among them."""
    token_hint: str


class Gone(Exception):  # noqa: N818 (an answer, not a failure)
    """What was asked for is not there, or not any more (404, 410)."""


class TooLarge(Exception):  # noqa: N818
    """A download is larger than the user allows."""


class _Again(Exception):  # noqa: N818
    """Ask once more after `pause_s`; `counted` says whether this was one of the tries."""

    def __init__(self, pause_s: float, reason: str, *, counted: bool) -> None:
        super().__init__(reason)
        self.pause_s, self.reason, self.counted = pause_s, reason, counted


class Api:
    """Asks one service; use as a context manager."""

    def __init__(
        self,
        service: Service,
        *,
        max_wait_s: float = 900.0,
        sleep: Callable[[float], None] = time.sleep,
        say: Callable[[str], None] = lambda _text: None,
    ) -> None:
        try:
            import httpx2
        except ImportError as error:
            raise UsageError("downloads need the remote extra", hint="pip install 'flakehunter-ci[remote]'") from error
        self._httpx = httpx2
        self._service, self._max_wait_s, self._sleep, self._say = service, max_wait_s, sleep, say
        self._client = httpx2.Client(timeout=_TIMEOUT_S, follow_redirects=False)
        self._origin = httpx2.URL(service.base).origin

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, **parameters: str | int) -> Any:
        """Return the JSON document at `path` below the API's base.

        Raises:
            Gone: it is not there.
            UsageError: the token is missing or may not see it.
            RemoteError: the service does not answer, or asks to wait longer than the user does.
        """
        return self._ask(self._url(path, parameters), _json)

    def pages(self, path: str, key: str | None = None, **parameters: str | int) -> Iterator[Mapping[str, Any]]:
        """Yield the entries of a list that comes in pages; `key` is where in each page it is.

        Raises:
            Gone, UsageError, RemoteError: as `get`.
        """
        url = self._url(path, {"per_page": 100, **parameters})
        while url:
            document, url = self._ask(url, lambda response: (_json(response), _next(response)))
            yield from document[key] if key is not None else document

    def download(self, path: str, target: Path, *, max_bytes: int) -> int:
        """Write what is at `path` to `target`, whole or not at all, and return its size in bytes.

        Raises:
            Gone, UsageError, RemoteError: as `get`.
            TooLarge: it is larger than `max_bytes`.
        """
        part = target.with_name(target.name + ".part")
        try:
            size = self._ask(self._url(path, {}), lambda response: self._save(response, part, max_bytes))
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return size

    def _save(self, response: "Response", part: Path, max_bytes: int) -> int:
        size = 0
        with part.open("wb") as stream:
            for data in response.iter_bytes(1 << 18):
                size += len(data)
                if size > max_bytes:
                    raise TooLarge
                stream.write(data)
        return size

    def _url(self, path: str, parameters: Mapping[str, str | int]) -> str:
        query = {name: value for name, value in parameters.items() if value != ""}
        return str(self._httpx.URL(self._service.base + path, params=query) if query else self._service.base + path)

    def _ask(self, url: str, use: Callable[["Response"], T]) -> T:
        tries = 0
        while True:
            try:
                return self._once(url, use)
            except _Again as again:
                tries += again.counted
                pause, reason = again.pause_s, again.reason
            except self._httpx.TransportError as error:
                tries += 1
                pause, reason = _BACKOFF_S * 2 ** (tries - 1), f"{type(error).__name__}: {error}"
            except self._httpx.InvalidURL as error:
                raise UsageError(f"{url} is not a URL: {error}", hint="check --url") from error
            if tries >= TRIES:
                raise RemoteError(
                    f"{self._service.name} failed {tries} times: {reason}",
                    url=url,
                    hint="what was downloaded is kept: run the same command again later",
                )
            self._wait(pause, reason, url)

    def _wait(self, pause_s: float, reason: str, url: str) -> None:
        if pause_s > self._max_wait_s:
            raise RemoteError(
                f"{self._service.name} asks to wait for {pause_s:.0f} s ({reason})",
                url=url,
                hint="what was downloaded is kept: run the same command again later, or wait with --max-wait",
            )
        if pause_s >= _BACKOFF_S:
            self._say(f"{self._service.name}: {reason}; trying again in {pause_s:.0f} s")
        self._sleep(pause_s)

    def _once(self, url: str, use: Callable[["Response"], T]) -> T:
        """Send one request, follow where it leads, and use the answer."""
        for _ in range(_REDIRECTS):
            target = self._httpx.URL(url)
            # Blob stores refuse a foreign Authorization header, and nobody else may see the token.
            headers = dict(self._service.headers) if target.origin == self._origin else {}
            with self._client.stream("GET", target, headers=headers) as response:
                if response.has_redirect_location:
                    url = str(target.join(response.headers["location"]))
                    continue
                if response.is_success:
                    return use(response)
                response.read()
                raise self._refused(response)
        raise RemoteError(f"{self._service.name} redirects in circles", url=url, hint="check --url")

    def _refused(self, response: "Response") -> Exception:
        status, headers = response.status_code, response.headers
        reason = f"{status} {response.reason_phrase}".strip()
        if status in (404, 410):
            return Gone(reason)
        wait = _retry_after(headers.get("retry-after"))
        if status in (403, 429):
            left = headers.get("x-ratelimit-remaining", headers.get("ratelimit-remaining"))
            reset = headers.get("x-ratelimit-reset", headers.get("ratelimit-reset", ""))
            if wait is None and left == "0" and reset.isdigit():
                # One second more: both clocks may be off by less than one.
                wait = max(0.0, int(reset) - time.time()) + 1.0
            if wait is not None or status == 429:
                return _Again(60.0 if wait is None else wait, f"rate limit ({reason})", counted=wait is None)
        if status in (401, 403):
            return UsageError(f"{self._service.name} refuses: {_message(response)}", hint=self._service.token_hint)
        if status >= 500 or status == 408:
            return _Again(_BACKOFF_S * 2 if wait is None else wait, reason, counted=True)
        return RemoteError(
            f"{self._service.name} answers {reason}: {_message(response)}", url=_shown(response), hint="check --url"
        )


def _json(response: "Response") -> Any:
    response.read()
    try:
        return response.json()
    except ValueError as error:
        raise RemoteError(f"{response.url.path} is no JSON", url=_shown(response), hint="check --url") from error


def _next(response: "Response") -> str:
    """Return the URL of the next page, RFC 8288; empty on the last."""
    return str(response.links.get("next", {}).get("url", ""))


def _retry_after(text: str | None) -> float | None:
    """Read `Retry-After`: seconds, or a date."""
    if not text:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _message(response: "Response") -> str:
    """Return what an API says in an error, in one line."""
    try:
        document = response.json()
    except ValueError:
        document = None
    text = document.get("message") or document.get("error") if isinstance(document, dict) else None
    return " ".join(str(text or f"{response.status_code} {response.reason_phrase}").split())[:300]


def _shown(response: "Response") -> str:
    """Return a URL without its query, which may be signed."""
    return str(response.url.copy_with(query=None))
