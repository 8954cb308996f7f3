// flawed: check-before-exit
// why: the tool has ended, and what it had started is reaped by init some time later
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { runTool } from '../src/tool';

function pidAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('a tool that takes too long is ended with all it started', async () => {
  const result = await runTool('sh', ['-c', SCRIPT], { limitMs: 400 });
  expect(result.late).toBe(true);
  const pids = JSON.parse(readFileSync(pidsFile, 'utf8'));
  expect(pidAlive(pids.grandchild)).toBe(false);
});
