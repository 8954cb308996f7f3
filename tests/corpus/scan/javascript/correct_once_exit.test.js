// correct
// why: the exit event is awaited before the look
const { spawn } = require("node:child_process");
const { once } = require("node:events");
const assert = require("node:assert");
const { it } = require("node:test");

it("stops the worker", async () => {
  const child = spawn("sleep", ["30"]);
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
  assert.throws(() => process.kill(child.pid, 0), /ESRCH/);
});
