// correct
// why: vi.waitFor repeats the probe until it holds
import { expect, test, vi } from 'vitest';
import { WorkerPool } from '../src/pool';

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
  await vi.waitFor(() => {
    for (const pid of pids) expect(isAlive(pid)).toBe(false);
  }, { timeout: 10_000 });
});
