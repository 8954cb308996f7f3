// flawed: resource-still-held
// why: 200 ms after the signal the server may still write into the folder that is removed
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';

test('answers', async (t) => {
  const directory = await mkdtemp('/tmp/accounts-');
  const child = spawn(process.execPath, ['server.js'], { env: { ...process.env, DATA_DIR: directory } });
  t.after(async () => {
    child.kill('SIGTERM');
    await delay(200);
    await rm(directory, { recursive: true, force: true });
  });
  await untilHealthy();
});
