// correct
// why: close() resolves on exit
import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';

class Server {
  child = spawn('node', ['server.js']);
  close() {
    return new Promise<void>((resolve) => {
      this.child.once('exit', () => resolve());
      this.child.kill('SIGTERM');
    });
  }
}

test('close stops the server', async () => {
  const server = new Server();
  await server.close();
  expect(server.child.signalCode).toBe('SIGTERM');
});
