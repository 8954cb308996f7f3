// Node: a helper writes its last line when the child is told to stop; 'exit' of the child is taken for 'close'.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

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
let closed = false;
leader.stdout.on('data', (line) => {
  grandchild = Number(String(line));
  process.kill(-leader.pid, 'SIGKILL');
});
leader.on('close', () => {
  closed = true;
});
await once(leader, 'exit');
// All that wrote to the output are taken to have ended now, since the child has.
if (!gone(grandchild)) fail(`process ${grandchild} (sleep 30) is still alive, output closed: ${closed}`);
