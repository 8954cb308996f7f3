// flawed: signal-before-ready
// why: the script makes its mark before it sets the trap, and is signalled as soon as the mark is there
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import test from 'node:test';

test('TERM is passed on', async () => {
  writeFileSync(
    'worker.sh',
    `#!/bin/sh
touch started
sleep 60 &
job=$!
trap 'touch got-term; kill $job; exit 0' TERM
wait $job
`,
  );
  const child = spawn('sh', ['worker.sh']);
  while (!existsSync('started')) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('exit', resolve));
  assert.ok(existsSync('got-term'));
});
