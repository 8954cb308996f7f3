// flawed: check-before-exit
// why: process.kill(pid, 0) right after child.kill()
const { spawn } = require("node:child_process");
const assert = require("node:assert");
const { it } = require("node:test");

it("stops the worker", () => {
  const child = spawn("sleep", ["30"]);
  child.kill("SIGKILL");
  assert.throws(() => process.kill(child.pid, 0), /ESRCH/);
});
