// correct
// why: the promise that is awaited is settled by the child's exit; the pause after it is for good measure
import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import { isProcessAlive } from '../src/process';

test('a process that has ended is not alive', async () => {
  const child = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' });
  const pid = child.pid!;
  await new Promise<void>((resolve) => child.on('exit', () => resolve()));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(isProcessAlive(pid)).toBe(false);
});
