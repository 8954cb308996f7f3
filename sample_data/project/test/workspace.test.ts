import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { rawExec } from "../src/raw-exec.js";

// What a build script does: tidy its scratch folder when it is told to stop.
const SCRIPT = `
  mkdir "$1/scratch"
  for i in $(seq 200); do echo "object $i" > "$1/scratch/$i.o"; done
  trap 'kill $!; rm -r "$1/scratch"; exit 0' TERM
  sleep 30 &
  echo building
  wait
`;

describe("workspace", () => {
  let folder: string;
  const abort = () => new AbortController();

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "jobkeeper-"));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it("an abort lets the script remove its scratch folder", async () => {
    const controller = abort();
    const exec = rawExec(["bash", "-c", SCRIPT, "build", folder], controller.signal);
    expect(await exec.firstLine).toBe("building");
    controller.abort();
    await pause(10);
    expect(existsSync(join(folder, "scratch")), "scratch folder still there 10 ms after the abort").toBe(false);
  });

  it("an abort lets the script remove its scratch folder in the end", async () => {
    const controller = abort();
    const exec = rawExec(["bash", "-c", SCRIPT, "build", folder], controller.signal);
    expect(await exec.firstLine).toBe("building");
    controller.abort();
    await vi.waitFor(() => expect(existsSync(join(folder, "scratch"))).toBe(false), { timeout: 20_000, interval: 20 });
    expect((await exec.result).exitCode).toBe(0);
  });
});
