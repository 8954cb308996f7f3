// correct
// why: the child is awaited; the timer only ends it when it hangs
import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, it } from "vitest";

it("exits by itself", async () => {
  const child = spawn("node", ["-e", "setTimeout(() => {}, 10)"]);
  const timer = setTimeout(() => child.kill("SIGKILL"), 30_000);
  await once(child, "exit");
  clearTimeout(timer);
  expect(child.exitCode).toBe(0);
});
