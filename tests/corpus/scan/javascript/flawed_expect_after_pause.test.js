// flawed: fixed-sleep
// why: half a second stands for the service listening
const { spawn } = require('child_process');
const { ask } = require('./client');

it('answers', async () => {
  const service = spawn('./service');
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(await ask('/ping')).toBe('pong');
});
