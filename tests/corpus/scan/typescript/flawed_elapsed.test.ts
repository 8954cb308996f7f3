// flawed: deadline-too-short
// why: start, signal and end of the child have to fit into 0.9 s
import { expect, test } from 'vitest';
import { runFor } from '../src/run';

test('a command that handles TERM is ended in time', async () => {
  const started = performance.now();
  const result = await runFor(100, process.execPath, [
    '-e',
    "process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 10_000);",
  ]);
  expect(result.late).toBe(true);
  expect(performance.now() - started).toBeLessThan(900);
});
