import { spawn, type ChildProcess } from "node:child_process";

export interface ExecResult {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
}

export interface RunningExec {
  child: ChildProcess;
  /** The first line of the command's output, without its end. */
  firstLine: Promise<string>;
  /** Settles when the command itself has ended; what it started may still be ending. */
  result: Promise<ExecResult>;
}

/** Run a command in a process group of its own; an abort sends SIGTERM to the whole group. */
export function rawExec(argv: readonly string[], abort: AbortSignal): RunningExec {
  const child = spawn(argv[0]!, argv.slice(1), { detached: true, stdio: ["ignore", "pipe", "inherit"] });
  let stdout = "";
  const firstLine = new Promise<string>((resolve, reject) => {
    child.stdout!.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
      const end = stdout.indexOf("\n");
      if (end >= 0) resolve(stdout.slice(0, end));
    });
    child.once("error", reject);
    child.once("close", () => resolve(stdout));
  });
  const result = new Promise<ExecResult>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (exitCode, signal) => resolve({ exitCode, signal, stdout }));
  });
  abort.addEventListener("abort", () => signalGroup(child, "SIGTERM"), { once: true });
  // Who is interested in only one of the two must not be punished for an error in the other.
  firstLine.catch(() => undefined);
  result.catch(() => undefined);
  return { child, firstLine, result };
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
