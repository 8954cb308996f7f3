// flawed: signal-before-ready
// why: the shell may get SIGTERM before it has run trap
import { spawn } from "node:child_process";
import { once } from "node:events";
import test from "ava";

test("passes the exit code of the trap on", async (t) => {
  const child = spawn("bash", ["-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done"]);
  child.kill("SIGTERM");
  const [code] = await once(child, "exit");
  t.is(code, 7);
});
