import { expect, test } from "vitest";
import { spawnSync } from "node:child_process";
import { abort, SCRIPT, start } from "./runner";

// Mended by flakehunter: it knows the process by pid and start time, and a zombie from a living process.
test("abort ends the grandchild", { timeout: 60_000 }, async () => {
  const { child, line } = await start(SCRIPT);
  await abort(child);
  const gone = spawnSync("flakehunter", ["wait-gone", "--deadline", "10s", "--zombies-ok", line], { encoding: "utf8" });
  expect(gone.status, gone.stdout + gone.stderr).toBe(0);
});
