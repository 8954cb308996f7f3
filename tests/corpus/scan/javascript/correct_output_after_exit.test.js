// correct
// why: the child has ended when what it said is looked at
const assert = require('node:assert');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { test } = require('node:test');

test('a wrong password is refused', async () => {
  const child = spawn(process.execPath, ['server.js', '--password', 'wrong']);
  child.stderrText = '';
  child.stderr.on('data', (part) => { child.stderrText += part; });
  await once(child, 'close');
  assert.match(child.stderrText, /refused/);
});
