"""Rate limits and failures are waited for; nothing else is asked twice."""

import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from flakehunter.errors import RemoteError, UsageError
from flakehunter.ingest.fetch.api import TRIES, Api, Gone, Service, TooLarge

LIMITED = {"x-ratelimit-remaining": "0"}


@pytest.fixture
def pauses() -> list[float]:
    """Return the list of pauses that were made instead of sleeping."""
    return []


@pytest.fixture
def ask(service: Any, pauses: list[float]) -> Callable[..., Any]:
    """Return a function that asks for the JSON document at /x."""

    def run(use: Callable[[Api], Any] = lambda api: api.get("/x"), **more: Any) -> Any:
        headers = {"Authorization": "Bearer t0ken"}
        with Api(Service("Fake", service.url, headers, "set TOKEN"), sleep=pauses.append, **more) as api:
            return use(api)

    return run


@pytest.mark.parametrize(
    ("status", "headers", "shortest", "longest"),
    [
        (429, {"Retry-After": "7"}, 7, 7),
        (403, {"Retry-After": "7"}, 7, 7),
        (403, LIMITED | {"x-ratelimit-reset": "+30"}, 29, 32),
        (429, {"RateLimit-Remaining": "0", "RateLimit-Reset": "+30"}, 29, 32),
        (503, {"Retry-After": "DATE"}, 18, 21),
        (502, {}, 1, 4),
        (408, {}, 1, 4),
    ],
    ids=["retry-after", "secondary", "primary", "gitlab", "date", "bad-gateway", "time-out"],
)
def test_what_will_pass_is_waited_for(
    status: int,
    headers: dict[str, str],
    shortest: float,
    longest: float,
    service: Any,
    answer: Any,
    ask: Callable[..., Any],
    pauses: list[float],
) -> None:
    real = {
        name: formatdate(time.time() + 20, usegmt=True)
        if value == "DATE"
        else str(int(time.time()) + 30)
        if value == "+30"
        else value
        for name, value in headers.items()
    }
    service.give("/x", answer(status, b'{"message": "later"}', real), answer(body=b'{"a": 1}'))
    begin = time.time()
    assert ask() == {"a": 1}
    assert len(pauses) == 1
    gone_by = time.time() - begin if real != headers else 0.0  # of what a given moment was away
    assert shortest - gone_by <= pauses[0] <= longest


def test_a_service_that_stays_broken_is_given_up(
    service: Any, answer: Any, ask: Callable[..., Any], pauses: list[float]
) -> None:
    service.give("/x", answer(500))
    with pytest.raises(RemoteError, match=r"Fake failed 6 times: 500") as caught:
        ask()
    assert len(service.paths()) == TRIES
    assert caught.value.exit_code == 6
    assert caught.value.hint


def test_a_wait_that_is_too_long_is_told_instead(service: Any, answer: Any, ask: Callable[..., Any]) -> None:
    service.give("/x", answer(429, headers={"Retry-After": "3600"}))
    with pytest.raises(RemoteError, match="asks to wait for 3600 s") as caught:
        ask(max_wait_s=600)
    assert "--max-wait" in str(caught.value.hint)


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_may_not_is_an_error_at_once(
    status: int, service: Any, answer: Any, ask: Callable[..., Any], pauses: list[float]
) -> None:
    service.give("/x", answer(status, b'{"message": "Bad credentials"}', {"x-ratelimit-remaining": "55"}))
    with pytest.raises(UsageError, match="Fake refuses: Bad credentials") as caught:
        ask()
    assert caught.value.hint == "set TOKEN"
    assert pauses == []


@pytest.mark.parametrize("status", [404, 410])
def test_what_is_not_there_is_gone(status: int, service: Any, answer: Any, ask: Callable[..., Any]) -> None:
    service.give("/x", answer(status))
    with pytest.raises(Gone):
        ask()


def test_pages_are_followed_to_the_last(service: Any, ask: Callable[..., Any]) -> None:
    service.json("/x?per_page=100", {"items": [1, 2]}, Link=f'<{service.url}/x?page=2>; rel="next", <l>; rel="last"')
    service.json("/x?page=2", {"items": [3]})
    assert list(ask(lambda api: list(api.pages("/x", "items")))) == [1, 2, 3]


def test_a_download_follows_to_another_host_without_the_token(
    service: Any, blobs: Any, answer: Any, ask: Callable[..., Any], tmp_path: Path
) -> None:
    service.give("/x", answer(302, headers={"Location": f"{blobs.url}/blob?sig=s"}))
    blobs.give("/blob?sig=s", answer(body=b"content"))
    assert ask(lambda api: api.download("/x", tmp_path / "f", max_bytes=100)) == 7
    assert (tmp_path / "f").read_bytes() == b"content"
    assert service.asked[0].headers["authorization"] == "Bearer t0ken"
    assert "authorization" not in blobs.asked[0].headers


def test_a_download_that_breaks_off_begins_again_at_the_api(
    service: Any, blobs: Any, answer: Any, ask: Callable[..., Any], tmp_path: Path
) -> None:
    service.give("/x", answer(302, headers={"Location": f"{blobs.url}/blob"}))
    blobs.give("/blob", answer(body=b"x" * 5000, cut=2000), answer(body=b"y" * 5000))
    assert ask(lambda api: api.download("/x", tmp_path / "f", max_bytes=9999)) == 5000
    assert (tmp_path / "f").read_bytes() == b"y" * 5000
    assert service.paths() == ["/x", "/x"], "a signed address is good for a minute only"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f"]


def test_a_download_beyond_the_limit_leaves_nothing(
    service: Any, answer: Any, ask: Callable[..., Any], tmp_path: Path
) -> None:
    service.give("/x", answer(body=b"x" * 5000))
    with pytest.raises(TooLarge):
        ask(lambda api: api.download("/x", tmp_path / "f", max_bytes=4999))
    assert list(tmp_path.iterdir()) == []


def test_a_host_that_is_not_there_is_a_remote_error(make_service: Callable[[], Any], pauses: list[float]) -> None:
    closed = make_service()
    url = closed.url
    closed.close()
    with (
        Api(Service("Fake", url, {}, ""), sleep=pauses.append) as api,
        pytest.raises(RemoteError, match="Fake failed 6 times: ConnectError"),
    ):
        api.get("/x")
    assert pauses == [1, 2, 4, 8, 16]
    closed.close = lambda: None


def test_an_answer_that_is_no_json_is_a_remote_error(service: Any, answer: Any, ask: Callable[..., Any]) -> None:
    service.give("/x", answer(body=b"<html>sign in</html>"))
    with pytest.raises(RemoteError, match="is no JSON"):
        ask()
