// Node: SIGTERM to a child whose clean-up takes 30 ms; its 'exit' races a timer of 5000 ms.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

// A signal that comes just before the read waits for its end, so each one is short.
const SERVICE = "trap 'sleep 0.03; exit 0' TERM; echo ready; while read -t 0.02 -r _ || [ $? -gt 128 ]; do :; done";

// Node's pipes are sockets, and with a socket as stdin bash would read ~/.bashrc first.
const service = spawn('bash', ['--norc', '-c', SERVICE], { stdio: ['pipe', 'pipe', 'inherit'] });
const exited = once(service, 'exit').then(() => true);
await once(service.stdout, 'data');
let timer;
const late = new Promise((resolve) => {
  timer = setTimeout(() => resolve(false), 5000);
});
service.kill('SIGTERM');
if (!(await Promise.race([exited, late]))) {
  console.error(`process ${service.pid} has not ended after 5000 ms`);
  process.exitCode = 1;
}
clearTimeout(timer);
await exited;
