import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { describeProcess, isRunning } from "../src/process.js";
import { rawExec } from "../src/raw-exec.js";

const DEADLINE_MS = 5_000;
const PAUSE_MS = 20;

/** Look at `pid` until it is gone or the deadline has passed, and log the attempts. */
async function waitUntilGone(pid: number): Promise<boolean> {
  const start = performance.now();
  for (let attempt = 1; ; attempt++) {
    const elapsed = Math.round(performance.now() - start);
    if (!isRunning(pid)) {
      console.log(`attempt ${attempt}: ${pid} is gone after ${elapsed} ms`);
      return true;
    }
    console.log(`attempt ${attempt}: ${describeProcess(pid)} still runs ${elapsed} ms after the abort`);
    if (elapsed > DEADLINE_MS) return false;
    await pause(PAUSE_MS);
  }
}

describe("rawExec, looked at until a deadline", () => {
  it("aborting an exec ends its grandchild by the deadline", async () => {
    const abort = new AbortController();
    const exec = rawExec(["bash", "-c", "sleep 30 & echo $!; wait"], abort.signal);
    const grandchild = Number(await exec.firstLine);
    abort.abort();
    await exec.result;
    expect(await waitUntilGone(grandchild), `still running: ${describeProcess(grandchild)}`).toBe(true);
  });
});
