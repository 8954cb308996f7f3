// flawed: survivor
// why: child.kill() signals the shell alone; the background sleep is never signalled
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect, it } from "vitest";

function running(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

it("leaves nothing behind", async () => {
  const shell = spawn("bash", ["-c", "sleep 300 & echo $!; wait"]);
  const [line] = await once(createInterface({ input: shell.stdout }), "line");
  const sleeper = Number.parseInt(line, 10);
  shell.kill("SIGTERM");
  await once(shell, "exit");
  expect(running(sleeper)).toBe(false);
});
