// flawed: resource-still-held
// why: the folder that the child works in is removed while it may still run
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const { afterEach, test } = require('node:test');

let place;
let child;

afterEach(() => {
  if (child) child.kill();
  if (place) fs.rmSync(place.top, { recursive: true, force: true });
});

test('answers', async () => {
  place = makePlace('answers-');
  child = spawn(process.execPath, ['serve.js'], { cwd: place.checkout });
  await firstLine(child.stdout);
});
