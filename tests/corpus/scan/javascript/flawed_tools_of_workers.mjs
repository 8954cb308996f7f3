// flawed: fixed-sleep
// why: the workers are waited for, but their tools only get 25 ms
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

function gone(pid) {
  try {
    return 'ZX'.includes(readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1][0]);
  } catch {
    return true;
  }
}

const workers = [fork('worker.mjs'), fork('worker.mjs')];
const ends = workers.map((worker) => once(worker, 'exit'));
const tools = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0]));
for (const worker of workers) worker.kill('SIGTERM');
await Promise.all(ends);
await pause(25);
for (const tool of tools) {
  if (!gone(tool)) throw new Error(`tool ${tool} lives`);
}
