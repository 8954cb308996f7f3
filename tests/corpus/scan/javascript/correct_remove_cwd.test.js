// correct
// why: the folder that the child works in is removed when it has ended
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const { afterEach, test } = require('node:test');

let place;
let child;

afterEach(async () => {
  const ended = once(child, 'exit');
  child.kill();
  await ended;
  fs.rmSync(place.top, { recursive: true, force: true });
});

test('answers', async () => {
  place = makePlace('answers-');
  child = spawn(process.execPath, ['serve.js'], { cwd: place.checkout });
  await firstLine(child.stdout);
});
