// flawed: fixed-sleep
// why: a fixed pause after shutdown(), then every worker's pid is probed
import { expect, test } from 'vitest';
import { WorkerPool } from '../src/pool';

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('shutdown leaves no worker', async () => {
  const pool = new WorkerPool({ size: 3 });
  await pool.ready();
  const pids = pool.workers.map((worker) => worker.pid);
  await pool.shutdown();
  await sleep(250);
  for (const pid of pids) {
    expect(isAlive(pid)).toBe(false);
  }
});
