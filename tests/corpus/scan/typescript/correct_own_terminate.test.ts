// correct
// why: a terminate that is awaited is a method of the project's, no ChildProcess.kill
import { expect, test } from "vitest";
import { Engine } from "../src/engine";

test("terminate ends the process", async () => {
  const engine = new Engine();
  await engine.start();
  const pid = engine.pid();
  await engine.terminate();
  expect(engine.isRunning()).toBe(false);
  expect(() => process.kill(pid, 0)).toThrow();
});
