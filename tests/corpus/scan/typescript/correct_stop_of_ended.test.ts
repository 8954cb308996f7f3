// correct
// why: the child's exit was awaited; the signal in the clean-up reaches nobody
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";

test("the launcher ends", async () => {
  const folder = makeFolder();
  const child = spawn(process.execPath, [folder + "/run.mjs"]);
  const exited = once(child, "exit");
  await once(child.stdout, "data");
  try {
    child.kill("SIGTERM");
    await exited;
  } finally {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true });
  }
});
