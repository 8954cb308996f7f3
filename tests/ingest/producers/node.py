"""Producers from npm, and node's own test runner."""

import shutil

from producers.common import Made, MissingProducerError, node_modules, node_version, project, run, version

JEST = {
    "package.json": '{"private": true}',
    "jest.config.js": 'module.exports = {reporters: ["default", ["jest-junit", {outputName: "junit.xml"}]]}\n',
    "test/child.test.js": """
let tries = 0

test("passes", () => {})

describe("group", () => {
  describe("inner", () => {
    test("child is gone", () => {
      console.log("sent SIGKILL to pid 4711")
      throw new Error("process 4711 is still alive")
    })
  })
  test.each([1, 2])("each %i", (n) => { expect(n).toBeGreaterThan(0) })
  test.skip("skipped", () => {})
  test.todo("to do")
})

test("times out", async () => { await new Promise(() => {}) }, 50)
""",
    "test/flaky.test.js": """
jest.retryTimes(2)
let tries = 0
test("passes at the second try", () => { tries += 1; expect(tries).toBe(2) })
""",
    "test/broken.test.js": 'require("./does-not-exist.js")\n',
}


def jest() -> Made:
    """jest with jest-junit."""
    folder = project(JEST)
    node_modules(folder, "jest", "jest-junit")
    made = Made("jest", f"{node_version('jest')}, jest-junit {node_version('jest-junit')}", "npx jest --verbose")
    log = run(folder, "node_modules/.bin/jest", "--verbose")
    made.keep("jest/verbose.log", log)
    made.keep_file("jest/junit.xml", folder / "junit.xml")
    made.counts(log, r"^Tests:")
    return made


MOCHA = {
    "test/child.js": """
const assert = require("assert")
let tries = 0

it("passes", () => {})

describe("group", () => {
  describe("inner", () => {
    it("child is gone", () => {
      console.log("sent SIGKILL to pid 4711")
      assert(false, "process 4711 is still alive")
    })
  })
  it.skip("skipped", () => {})
  it("to do")
  it("passes at the second try", function () { this.retries(2); tries += 1; assert.equal(tries, 2) })
})

it("times out", function (done) { this.timeout(50) })

describe("hooked", () => {
  before(() => { throw new Error("listen EADDRINUSE: address already in use") })
  it("never runs", () => {})
})
""",
}


def mocha() -> Made:
    """mocha with mocha-junit-reporter, and with its own reporter."""
    folder = project(MOCHA)
    # mocha 12 has classes where mocha-junit-reporter 2.2.1 wants functions.
    node_modules(folder, "mocha@11", "mocha-junit-reporter")
    versions = f"{node_version('mocha')}, mocha-junit-reporter {node_version('mocha-junit-reporter')}"
    made = Made("mocha", versions, "npx mocha --reporter mocha-junit-reporter")
    log = run(folder, "node_modules/.bin/mocha")
    made.keep("mocha/spec.log", log)
    run(folder, "node_modules/.bin/mocha", "--reporter", "mocha-junit-reporter", MOCHA_FILE="junit.xml")
    made.keep_file("mocha/junit.xml", folder / "junit.xml")
    made.counts(log, r"^\d+ (?:passing|failing|pending)")
    return made


KARMA = {
    "karma.conf.js": """
module.exports = (config) => config.set({
  frameworks: ["jasmine"], files: ["test/*.js"], reporters: ["dots", "junit"], colors: false,
  singleRun: true,
  plugins: ["karma-jasmine", "karma-chrome-launcher", "karma-junit-reporter"],
  junitReporter: { outputFile: "junit.xml", useBrowserName: false },
  browsers: ["Alone"], customLaunchers: { Alone: { base: "ChromeHeadless", flags: ["--no-sandbox"] } },
})
""",
    "test/child.js": """
describe("child", () => {
  it("passes", () => {})
  describe("group", () => {
    it("is gone", () => {
      console.log("sent SIGKILL to pid 4711")
      expect("process 4711 is still alive").toBe("gone")
      expect(1).toBe(2)
    })
    it("throws", () => { throw new Error("listen EADDRINUSE: address already in use") })
    xit("is skipped", () => {})
    it("is to do")
  })
  it("times out", (done) => {}, 50)
})
""",
}


def karma() -> Made:
    """Karma with jasmine and karma-junit-reporter, in a Chromium without a window."""
    folder = project(KARMA)
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise MissingProducerError("chromium")
    node_modules(folder, "karma", "karma-jasmine", "jasmine-core", "karma-chrome-launcher", "karma-junit-reporter")
    versions = f"{node_version('karma')}, karma-junit-reporter {node_version('karma-junit-reporter')}"
    made = Made("karma", versions, "npx karma start")
    log = run(folder, "node_modules/.bin/karma", "start", CHROME_BIN=browser)
    made.keep_file("karma/junit.xml", folder / "junit.xml")
    made.counts(log, r"Executed \d+ of \d+ .*secs")
    return made


PLAYWRIGHT = {
    "playwright.config.js": """
module.exports = {
  testDir: "tests", retries: 1, reporter: [["list"], ["junit", {outputFile: "junit.xml"}]],
  projects: [{name: "one"}, {name: "two"}],
}
""",
    "tests/child.spec.js": """
const { test, expect } = require("@playwright/test")

test("passes", () => {})

test.describe("group", () => {
  test("child is gone", async ({}, info) => {
    info.annotations.push({ type: "owner", description: "team-a" })
    await info.attach("note", { body: "sent SIGKILL", contentType: "text/plain" })
    console.log("sent SIGKILL to pid 4711")
    expect("process 4711 is still alive").toBe("gone")
  })
  test.skip("skipped", () => {})
  test("passes at the second try", ({}, info) => { expect(info.retry).toBe(1) })
})

test("times out", async () => { test.setTimeout(50); await new Promise(() => {}) })
""",
}


def playwright() -> Made:
    """Playwright Test without a browser: its runner and reporter are what writes the file."""
    folder = project(PLAYWRIGHT)
    node_modules(folder, "@playwright/test")
    made = Made("playwright", node_version("@playwright/test"), "npx playwright test --workers=1")
    log = run(folder, "node_modules/.bin/playwright", "test", "--workers=1")
    made.keep("playwright/list.log", log)
    made.keep_file("playwright/junit.xml", folder / "junit.xml")
    made.counts(log, r"^\d+ (?:passed|failed|skipped|flaky)")
    return made


NODE_TEST = {
    "test/child.test.mjs": """
import { describe, it, test } from "node:test"
import assert from "node:assert"

test("passes", () => {})

describe("group", () => {
  describe("inner", () => {
    it("child is gone", () => {
      console.log("sent SIGKILL to pid 4711")
      assert.fail("process 4711 is still alive")
    })
  })
  it("skipped", { skip: "not today" }, () => {})
  it("to do", { todo: true }, () => {})
})

test("with subtests", async (t) => { await t.test("inside", () => {}) })

test("times out", { timeout: 50 }, async () => { await new Promise((r) => setTimeout(r, 5000).unref()) })
""",
}


def node_test() -> Made:
    """node's own runner with three of its reporters."""
    folder = project(NODE_TEST)
    made = Made("node:test", version("node", "--version"), "node --test --test-reporter=junit test/child.test.mjs")
    for reporter, name in (("spec", "spec.log"), ("tap", "tap.log"), ("junit", "junit.xml")):
        output = run(folder, "node", "--test", f"--test-reporter={reporter}", "test/child.test.mjs")
        made.keep(f"node-test/{name}", output)
        if reporter == "tap":
            made.counts(output, r"^# (?:tests|pass|fail|cancelled|skipped|todo) \d+")
    return made


MAKERS = {"jest": jest, "mocha": mocha, "karma": karma, "playwright": playwright, "node-test": node_test}
