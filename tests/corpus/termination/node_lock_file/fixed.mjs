// Node: SIGTERM to the holder of a lock file, try to take the lock until it is free, for at most 5 s.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';

const folder = mkdtempSync(`${tmpdir()}/lock-`);
const lock = `${folder}/daemon.lock`;
const program = fileURLToPath(new URL('holder.py', import.meta.url));
const holder = spawn('python3', ['-I', '-S', program, lock], { stdio: ['ignore', 'pipe', 'inherit'] });
const exited = once(holder, 'exit');
await once(holder.stdout, 'data');
holder.kill('SIGTERM');
const deadline = Date.now() + 5000;
for (;;) {
  try {
    closeSync(openSync(lock, 'wx'));
    break;
  } catch (error) {
    if (Date.now() > deadline) {
      console.error(`the lock is still held by process ${holder.pid} after 5 s: ${error.code}`);
      process.exitCode = 1;
      break;
    }
  }
  await sleep(10);
}
await exited;
rmSync(folder, { recursive: true });
