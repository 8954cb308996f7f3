// flawed: fixed-sleep
// why: a second stands for the wait until the child has said why it ends
const assert = require('node:assert');
const { spawn } = require('node:child_process');
const { test } = require('node:test');

test('a wrong password is refused', async () => {
  const child = spawn(process.execPath, ['server.js', '--password', 'wrong']);
  child.said = '';
  child.stderr.on('data', (part) => { child.said += part; child.stderrText = child.said; });
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assert.match(child.stderrText, /refused/);
});
