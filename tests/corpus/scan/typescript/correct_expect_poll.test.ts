// correct
// why: expect.poll repeats the look until it holds
import { spawn } from "node:child_process";
import { expect, test } from "@playwright/test";

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test("closing the window ends the renderer", async ({ page }) => {
  const helper = spawn("./helper");
  const pid = helper.pid!;
  helper.kill();
  await expect.poll(() => alive(pid), { timeout: 15_000 }).toBe(false);
});
