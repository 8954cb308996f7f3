// flawed: fixed-sleep
// why: execa's cancel and a pause
import { execa } from 'execa';
import { expect, it } from 'vitest';
import isRunning from 'is-running';

it('cancels', async () => {
  const subprocess = execa('sleep', ['100']);
  subprocess.catch(() => {});
  const { pid } = subprocess;
  subprocess.kill();
  await new Promise((r) => setTimeout(r, 100));
  expect(isRunning(pid)).toBe(false);
});
