// flawed: check-before-exit
// why: a second signal that has to fail is a look
import { spawn } from "node:child_process";
import test from "ava";

test("ends the child", (t) => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  process.kill(child.pid, "SIGTERM");
  t.throws(() => {
    process.kill(child.pid);
  });
});
