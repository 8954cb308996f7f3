import { readFileSync } from "node:fs";

/** Say whether a signal could be sent to `pid`: kill(2) with signal 0. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

/** Say whether `pid` is alive and no zombie: what has ended but was not reaped does nothing any more. */
export function isRunning(pid: number): boolean {
  return isAlive(pid) && !describeProcess(pid).includes("zombie");
}

/** Return `PID (command): STATE`, or `PID: gone`. */
export function describeProcess(pid: number): string {
  let status: string;
  try {
    status = readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return `${pid}: gone`;
  }
  const field = (name: string) => new RegExp(`^${name}:\\t(.*)$`, "m").exec(status)?.[1];
  return `${pid} (${field("Name")}): ${field("State")}`;
}
