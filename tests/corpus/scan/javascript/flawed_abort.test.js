// flawed: check-before-exit
// why: the abort kills the child; its pid is probed in the same tick
const { spawn } = require('node:child_process');
const test = require('node:test');
const assert = require('node:assert');

test('abort kills the child', async () => {
  const controller = new AbortController();
  const child = spawn('sleep', ['60'], { signal: controller.signal });
  child.on('error', () => {});
  const pid = child.pid;
  controller.abort();
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
});
