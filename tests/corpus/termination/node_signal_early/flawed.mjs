// Node: SIGTERM 150 ms after the start of a service that needs some of them to set its handler.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

const SERVICE = "trap 'exit 0' TERM; echo ready; while read -t 0.02 -r _ || [ $? -gt 128 ]; do :; done";

// Node's pipes are sockets, and with a socket as stdin bash would read ~/.bashrc first.
const service = spawn('bash', ['--norc', '-c', SERVICE], { stdio: ['pipe', 'pipe', 'inherit'] });
const exited = once(service, 'exit');
await sleep(150);
service.kill('SIGTERM');
const [status, signal] = await exited;
if (status !== 0) {
  console.error(`the service did not end cleanly on SIGTERM: status ${status}, signal ${signal}`);
  process.exitCode = 1;
}
