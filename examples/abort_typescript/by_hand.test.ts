import { expect, test } from "vitest";
import { setTimeout as sleep } from "node:timers/promises";
import { abort, isAlive, SCRIPT, start } from "./runner";

const DEADLINE_MS = 10_000; // many times what init takes to reap an orphan

// Mended by hand: look until a deadline, with a pause between looks.
test("abort ends the grandchild", { timeout: 60_000 }, async () => {
  const { child, line } = await start(SCRIPT);
  await abort(child);
  const end = performance.now() + DEADLINE_MS;
  while (isAlive(Number(line)) && performance.now() < end) await sleep(10);
  expect(isAlive(Number(line))).toBe(false);
});
