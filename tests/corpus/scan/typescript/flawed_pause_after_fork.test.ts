// flawed: fixed-sleep
// why: a second stands for the forked service listening, and the assertion asks it
import { fork } from 'node:child_process';
import test from 'ava';
import { ask } from './client';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test.serial('answers', async (t) => {
  const service = fork('build/service.js');
  await pause(1000);
  t.is(await ask('/ping'), 'pong');
  service.kill();
});
