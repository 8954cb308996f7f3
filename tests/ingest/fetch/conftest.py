"""A service on this machine that answers as the real ones document it, and remembers what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass
class Answer:
    """One response; `cut` sends so many bytes only and then closes, as a broken connection does."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None


@dataclass
class Asked:
    """One request."""

    path: str
    headers: dict[str, str]


class FakeService:
    """Answers from a table of paths; several answers for one path come one after the other, the last one stays."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[Asked] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                service.asked.append(Asked(self.path, {key.lower(): value for key, value in self.headers.items()}))
                found = service.answers.get(self.path, [Answer(404, b'{"message": "Not Found"}')])
                answer = found[0] if len(found) == 1 else found.pop(0)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body[: answer.cut])
                self.close_connection = answer.cut is not None

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def json(self, path: str, document: Any, **headers: str) -> None:
        """Answer with a document."""
        self.give(path, Answer(body=json.dumps(document).encode(), headers=headers))

    def give(self, path: str, *answers: Answer) -> None:
        """Answer with these, in order."""
        self.answers[path] = list(answers)

    def paths(self) -> list[str]:
        """Return what was asked for since the last call, and forget it."""
        paths = [asked.path for asked in self.asked]
        self.asked.clear()
        return paths

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def make_service() -> Iterator[Callable[[], FakeService]]:
    """Return a function that starts a service; all are stopped at the end."""
    services: list[FakeService] = []

    def make() -> FakeService:
        services.append(FakeService())
        return services[-1]

    yield make
    for service in services:
        service.close()


@pytest.fixture
def service(make_service: Callable[[], FakeService]) -> FakeService:
    """Return the service with the API."""
    return make_service()


@pytest.fixture
def blobs(make_service: Callable[[], FakeService]) -> FakeService:
    """Return the store that the API redirects downloads to: another origin."""
    return make_service()


@pytest.fixture
def answer() -> type[Answer]:
    """Return the class of answers."""
    return Answer
