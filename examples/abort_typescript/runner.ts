import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export const SCRIPT = "sleep 30 & echo $!; wait";

/** Start a script in a process group of its own and give the first line of its output. */
export async function start(script: string): Promise<{ child: ChildProcess; line: string }> {
  const child = spawn("bash", ["-c", script], { detached: true, stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout! });
  const [line] = (await once(lines, "line")) as [string];
  return { child, line };
}

/** Signal the group and wait for its leader. */
export async function abort(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  process.kill(-child.pid!, "SIGTERM");
  await exited;
}

/** Whether a process has that pid; true of a zombie too. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
