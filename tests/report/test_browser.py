"""The pages in a real browser: nothing is loaded, nothing breaks, filters and sorting work, axe finds nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

pytestmark = pytest.mark.needs("chromium")

FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Start Debian's Chromium; it ends with the test, so that no process is left."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=FLAGS, chromium_sandbox=False, timeout=100_000
        )
        yield browser
        browser.close()


class Watch:
    """What went wrong on a page, and what it asked for."""

    def __init__(self, page: Page) -> None:
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.errors.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("dialog", lambda dialog: self.errors.append(f"dialog {dialog.message}"))


def opened(page: Page, path: Path) -> Watch:
    watch = Watch(page)
    page.goto(path.as_uri())
    return watch


def violations(page: Page, *, colours_only: bool = False) -> list[str]:
    options = {"runOnly": ["color-contrast"]} if colours_only else None
    found = Axe().run(page, options=options).response["violations"]
    return [f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}" for one in found]


def test_pages_have_no_error_no_request_and_no_violation(browser: Browser, team_site: Path) -> None:
    one_of_each = ["index.html", "tests/index.html", "mechanisms/index.html", "mechanisms/check-before-exit.html"]
    one_of_each += [f"tests/{path.name}" for path in (team_site / "tests").glob("test-abort-*.html")]
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme, bypass_csp=True)  # axe is a script the policy would stop
        page = context.new_page()
        for name in one_of_each:
            watch = opened(page, team_site / name)
            assert violations(page, colours_only=scheme == "dark") == [], f"{name} in {scheme}"
            assert watch.errors == [], name
            assert watch.requests == [(team_site / name).as_uri()]
        context.close()


def test_hostile_text_stays_text_under_the_policy(browser: Browser, hostile_site: Path) -> None:
    page = browser.new_page()
    for path in sorted(hostile_site.rglob("*.html")):
        watch = opened(page, path)
        assert watch.errors == [], path.name
        assert watch.requests == [path.as_uri()]
        assert page.title() != "owned"
        assert page.locator("img, iframe, object").count() == 0
        assert page.locator("script").count() == 1
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path.name} is {wide} px wider than the window"
    page.close()


def test_filter_sort_and_copy_work(browser: Browser, team_site: Path) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    opened(page, team_site / "index.html")
    rows = page.locator("#flaky-table tbody tr")
    assert rows.count() == 2
    page.get_by_label("Words in the row").fill("same PORT")
    assert [row.is_visible() for row in rows.all()] == [False, True]
    assert page.locator(".find output").first.inner_text() == "1 of 2"
    page.get_by_label("Words in the row").fill("")
    page.get_by_label("Mechanism", exact=True).select_option("check-before-exit")
    assert [row.is_visible() for row in rows.all()] == [True, False]
    assert page.locator("#heat-table tbody tr:visible").count() == 1, "the heat map follows"
    page.wait_for_url(lambda url: url.endswith("#?mechanism=check-before-exit"))
    page.reload()
    assert [row.is_visible() for row in rows.all()] == [True, False], "the address keeps the filter"
    page.get_by_role("button", name="Clear").click()
    page.wait_for_function("document.querySelectorAll('#flaky-table tbody tr:not([hidden])').length === 2")
    page.locator("#flaky-table th", has_text="Jobs lost").click()
    page.locator("#flaky-table th", has_text="Jobs lost").click()
    page.wait_for_selector("#flaky-table th[aria-sort=ascending]")
    page.wait_for_function("document.querySelector('#flaky-table tbody tr').innerText.includes('same port')")
    page.locator("a.test", has_text="test_abort_kills_the_group").click()
    page.wait_for_url(lambda url: "/tests/" in url)
    page.get_by_role("button", name="Copy").first.click()
    page.wait_for_selector("text=Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == "flakehunter repro --stress cpu:8 pytest::tests.test_group::test_abort_kills_the_group"
    context.close()


def test_pages_are_whole_without_scripts_on_a_phone_and_in_print(browser: Browser, team_site: Path) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 360, "height": 740})
    page = context.new_page()
    for name in ["index.html", *(f"tests/{path.name}" for path in (team_site / "tests").glob("test-abort*"))]:
        opened(page, team_site / name)
        assert page.locator("h1").is_visible()
        assert not page.locator(".find, .copyable button").first.is_visible()
        inside = page.locator("main").bounding_box()
        assert inside
        assert inside["width"] <= 360, name
        for section in page.locator("main > section").all():
            box = section.bounding_box()
            assert box
            assert box["x"] + box["width"] <= 360, name
        page.emulate_media(media="print")
        assert not page.locator(".top nav").is_visible()
        page.emulate_media(media="screen")
    context.close()
