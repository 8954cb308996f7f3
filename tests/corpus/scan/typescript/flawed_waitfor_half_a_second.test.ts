// flawed: deadline-too-short
// why: the poll fails by itself after half a second
import { spawn } from "node:child_process";
import { expect, it, vi } from "vitest";

it("ends what ran out of time", async () => {
  const other = spawn("sleep", ["600"]);
  const result = await ask(prompt, { timeoutMs: 200 });
  expect(result.error).toContain("timed out");
  await vi.waitFor(() => expect(isProcessAlive(result.pid)).toBe(false), { timeout: 500 });
  expect(isProcessAlive(other.pid)).toBe(true);
  other.kill("SIGKILL");
});
