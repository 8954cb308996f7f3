// flawed: fixed-sleep
// why: 500 ms stand for the start of the server
import { spawn, type ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from 'vitest';

let server: ChildProcess;

beforeAll(async () => {
  server = spawn('node', ['dist/server.js'], { env: { ...process.env, PORT: '4555' } });
  await new Promise((resolve) => setTimeout(resolve, 500));
});

afterAll(() => {
  server.kill();
});

it('answers', async () => {
  const response = await fetch('http://127.0.0.1:4555/health');
  expect(response.status).toBe(200);
});
