// correct
// why: the service says over its channel that it listens
import { fork } from 'node:child_process';
import { once } from 'node:events';
import test from 'ava';
import { ask } from './client';

test.serial('answers', async (t) => {
  const service = fork('build/service.js');
  await once(service, 'message');
  t.is(await ask('/ping'), 'pong');
  service.kill();
});
