// Node: a pool's workers are ended and waited for; 25 ms later their tools are taken to be gone.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';

// Whether the process has ended; a zombie has.
function gone(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return 'ZX'.includes(stat.slice(stat.lastIndexOf(')') + 2)[0]);
  } catch {
    return true;
  }
}

function fail(message) {
  console.error(message);
  process.exitCode = 1;
}

const program = fileURLToPath(new URL('worker.mjs', import.meta.url));
const pool = [fork(program)];
const exits = pool.map((worker) => once(worker, 'exit'));
const tools = await Promise.all(pool.map(async (worker) => (await once(worker, 'message'))[0]));
for (const worker of pool) worker.kill('SIGTERM');
await Promise.all(exits);
await sleep(25);
for (const tool of tools) {
  if (!gone(tool)) fail(`process ${tool} (cat) is still alive`);
}
