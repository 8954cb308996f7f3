// Node: wait for 'close', when all that held the output have let go of it, then until the process is gone, at most 5 s.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

// The shell names the grandchild only once it is `sleep`, so that the signal never meets a half-made process.
const GROUP = 'sleep 30 & n=; until [ "$n" = sleep ]; do read -r n </proc/$!/comm; done; echo $!; wait';

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

const leader = spawn('bash', ['-c', GROUP], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
let grandchild = 0;
leader.stdout.on('data', (line) => {
  grandchild = Number(String(line));
  process.kill(-leader.pid, 'SIGKILL');
});
await once(leader, 'close');
const deadline = Date.now() + 5000;
while (!gone(grandchild)) {
  if (Date.now() > deadline) {
    fail(`process ${grandchild} (sleep 30) is still alive after 5 s`);
    break;
  }
  await sleep(10);
}
