// Node: SIGTERM to the holder of a lock file, pause 40 ms, take the lock.
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
await sleep(40);
try {
  closeSync(openSync(lock, 'wx'));
} catch (error) {
  console.error(`the lock is still held by process ${holder.pid}: ${error.code}`);
  process.exitCode = 1;
}
await exited;
rmSync(folder, { recursive: true });
