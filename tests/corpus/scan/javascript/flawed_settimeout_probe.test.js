// flawed: fixed-sleep
// why: 100 ms stand for the exit event
const treeKill = require("tree-kill");
const { spawn } = require("child_process");

test("kills the tree", async () => {
  const child = spawn("node", ["fixtures/tree.js"], { stdio: "ignore" });
  treeKill(child.pid, "SIGTERM");
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(isRunning(child.pid)).toBe(false);
});

function isRunning(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
