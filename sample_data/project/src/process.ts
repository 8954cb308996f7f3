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

/** Return `pid STATE command`, or `pid gone`. */
export function describeProcess(pid: number): string {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return `${pid} gone`;
  }
  const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
  return `${pid} ${stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3)} ${name}`;
}
