// flawed: check-before-exit
// why: the run is aborted, the group gets SIGTERM, and the grandchild is probed at once
import { test, expect } from "vitest";
import { exec } from "../src/exec.js";

test("aborting kills the whole process group", async () => {
  const controller = new AbortController();
  const running = exec(["bash", "-c", "sleep 30 & echo $!; wait"], { signal: controller.signal });
  const output = await firstLine(running);
  const pid = Number(output.trim());

  controller.abort();
  await running;

  let alive = true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code === "ESRCH") alive = false;
  }
  expect(alive).toBe(false);
});
