// correct
// why: a promise of the exit event is awaited
import { spawn } from 'node:child_process';
import { expect, it } from 'vitest';

it('ends on SIGTERM', async () => {
  const child = spawn('node', ['worker.js'], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  const exited = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
  child.kill('SIGTERM');
  const result = await exited;
  expect(result.signal).toBe('SIGTERM');
  expect(child.killed).toBe(true);
});
