// correct
// why: the script prints a line when its trap is set, and the test waits for it
import { spawn } from "node:child_process";
import { once } from "node:events";
import test from "ava";

test("passes the exit code of the trap on", async (t) => {
  const child = spawn("bash", ["-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.1; done"]);
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  const [code] = await once(child, "exit");
  t.is(code, 7);
});
