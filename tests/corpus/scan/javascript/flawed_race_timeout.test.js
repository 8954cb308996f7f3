// flawed: deadline-too-short
// why: 200 ms for the exit after SIGTERM
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test, expect } from 'vitest';

test('stops fast', async () => {
  const server = spawn('node', ['server.js']);
  await once(server.stdout, 'data');
  server.kill();
  const timer = new Promise((_, reject) => setTimeout(() => reject(new Error('too slow')), 200));
  const [code] = await Promise.race([once(server, 'exit'), timer]);
  expect(code).toBe(0);
});
