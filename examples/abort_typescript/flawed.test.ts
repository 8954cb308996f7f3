import { expect, test } from "vitest";
import { abort, isAlive, SCRIPT, start } from "./runner";

// Flawed: the leader has ended, but nobody has waited for its child.
test("abort ends the grandchild", async () => {
  const { child, line } = await start(SCRIPT);
  await abort(child);
  expect(isAlive(Number(line))).toBe(false);
});
