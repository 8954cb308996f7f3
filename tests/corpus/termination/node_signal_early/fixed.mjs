// Node: SIGTERM when the service has said that it is ready.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const SERVICE = "trap 'exit 0' TERM; echo ready; while read -t 0.02 -r _ || [ $? -gt 128 ]; do :; done";

// Node's pipes are sockets, and with a socket as stdin bash would read ~/.bashrc first.
const service = spawn('bash', ['--norc', '-c', SERVICE], { stdio: ['pipe', 'pipe', 'inherit'] });
const exited = once(service, 'exit');
await once(service.stdout, 'data');
service.kill('SIGTERM');
const [status, signal] = await exited;
if (status !== 0) {
  console.error(`the service did not end cleanly on SIGTERM: status ${status}, signal ${signal}`);
  process.exitCode = 1;
}
