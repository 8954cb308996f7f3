import { describe, expect, it } from "vitest";
import { isAlive } from "../src/process.js";
import { rawExec } from "../src/raw-exec.js";

describe("rawExec", () => {
  it("aborting an exec ends its grandchild", async () => {
    const abort = new AbortController();
    const exec = rawExec(["bash", "-c", "sleep 30 & echo $!; wait"], abort.signal);
    const grandchild = Number(await exec.firstLine);
    abort.abort();
    await exec.result;
    expect(isAlive(grandchild), `grandchild ${grandchild} is still alive right after the abort`).toBe(false);
  });

  it("aborting an exec ends the command with SIGTERM", async () => {
    const abort = new AbortController();
    const exec = rawExec(["sleep", "30"], abort.signal);
    abort.abort();
    expect(await exec.result).toMatchObject({ exitCode: null, signal: "SIGTERM" });
  });

  it("an abort after the end does nothing", async () => {
    const abort = new AbortController();
    const exec = rawExec(["true"], abort.signal);
    expect((await exec.result).exitCode).toBe(0);
    abort.abort();
  });
});
