import { describe, expect, it } from "vitest";
import { rawExec } from "../src/raw-exec.js";

const never = new AbortController().signal;

describe("output", () => {
  it.each([
    ["one line", "echo one", "one"],
    ["the first of two", "echo one; echo two", "one"],
    ["no output at all", "true", ""],
  ])("first line: %s", async (_title, script, expected) => {
    expect(await rawExec(["sh", "-c", script], never).firstLine).toBe(expected);
  });

  it("exit code", async () => {
    expect((await rawExec(["sh", "-c", "exit 7"], never).result).exitCode).toBe(7);
  });

  it("a command that does not exist", async () => {
    await expect(rawExec(["./no-such-command"], never).result).rejects.toThrow("ENOENT");
  });
});
