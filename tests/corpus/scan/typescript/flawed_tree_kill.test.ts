// flawed: check-before-exit
// why: tree-kill's callback comes after the signal, not after the exit
import { spawn } from 'child_process';
import treeKill from 'tree-kill';

const alive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (e) {
    return false;
  }
};

it('kills the tree', async () => {
  const parent = spawn('node', ['parent.js'], { stdio: 'pipe' });
  const line: string = await new Promise((r) => parent.stdout!.once('data', (d) => r(d.toString())));
  const childPid = Number.parseInt(line.trim(), 10);
  await new Promise<void>((resolve, reject) => treeKill(parent.pid!, 'SIGKILL', (err) => (err ? reject(err) : resolve())));
  expect(alive(childPid)).toBe(false);
});
