// correct
// why: the close event is awaited before the pid is probed
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const test = require('node:test');
const assert = require('node:assert');

test('abort kills the child', async () => {
  const controller = new AbortController();
  const child = spawn('sleep', ['60'], { signal: controller.signal });
  child.on('error', () => {});
  const pid = child.pid;
  const closed = once(child, 'close');
  controller.abort();
  await closed;
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
});
