// correct
// why: the probe is repeated until a deadline, with a pause between the probes
import { test, expect } from "vitest";
import { exec } from "../src/exec.js";

async function waitUntilGone(pid, timeoutMs = 10_000) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch (error) {
      if (error.code === "ESRCH") return;
      throw error;
    }
    if (Date.now() > deadline) throw new Error(`process ${pid} still alive`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test("aborting kills the whole process group", async () => {
  const controller = new AbortController();
  const running = exec(["bash", "-c", "sleep 30 & echo $!; wait"], { signal: controller.signal });
  const pid = Number((await firstLine(running)).trim());
  controller.abort();
  await running;
  await waitUntilGone(pid);
});
