// flawed: check-before-exit
// why: exitCode is null until the exit event has been handled
import { spawn, type ChildProcess } from "node:child_process";
import { afterEach, expect, it } from "vitest";

let child: ChildProcess;

afterEach(() => {
  child?.kill("SIGKILL");
});

it("ends on SIGTERM", async () => {
  child = spawn("sleep", ["60"], { stdio: "ignore" });
  child.kill("SIGTERM");
  expect(child.exitCode ?? child.signalCode).not.toBeNull();
});
