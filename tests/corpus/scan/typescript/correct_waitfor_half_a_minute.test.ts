// correct
// why: the poll gives the process half a minute
import { spawn } from "node:child_process";
import { expect, it, vi } from "vitest";

it("ends what ran out of time", async () => {
  const other = spawn("sleep", ["600"]);
  const result = await ask(prompt, { timeoutMs: 200 });
  expect(result.error).toContain("timed out");
  await vi.waitFor(() => expect(isProcessAlive(result.pid)).toBe(false), { timeout: 30_000 });
  expect(isProcessAlive(other.pid)).toBe(true);
  other.kill("SIGKILL");
});
