// flawed: deadline-too-short
// why: 200 ms are less than a loaded machine needs
import { spawn } from "node:child_process";
import { expect, test, vi } from "vitest";
import { isProcessAlive } from "../src/process";

test("the watcher ends with its parent", async () => {
  const watcher = spawn("node", ["watcher.mjs"], { detached: true });
  process.kill(-watcher.pid!, "SIGTERM");
  await vi.waitFor(() => expect(isProcessAlive(watcher.pid!)).toBe(false), { timeout: 200, interval: 10 });
});
