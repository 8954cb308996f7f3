// flawed: deadline-too-short
// why: a constant of the module gives the poll one second
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';

const PATIENCE_MS = 1_000;

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function expectGone(pid: number): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (lives(pid) && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(lives(pid)).toBe(false);
}

test('the group is killed', async () => {
  const child = spawn('sh', ['-c', 'sleep 60'], { detached: true });
  await once(child, 'spawn');
  process.kill(-child.pid!, 'SIGKILL');
  await expectGone(child.pid!);
});
