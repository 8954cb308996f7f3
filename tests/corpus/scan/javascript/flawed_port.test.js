// flawed: resource-still-held
// why: a second server listens on the port right after the first was killed
const { spawn } = require('child_process');
const net = require('net');

async function waitForPort(port) {
  for (let i = 0; i < 100; i++) {
    const ok = await new Promise((resolve) => {
      const socket = net.connect(port, () => { socket.end(); resolve(true); });
      socket.on('error', () => resolve(false));
    });
    if (ok) return;
    await new Promise((r) => setTimeout(r, 50));
  }
  throw new Error('server did not start');
}

test('port is free after kill', async () => {
  const port = 43117;
  const server = spawn('node', ['server.js', '--port', String(port)]);
  await waitForPort(port);
  server.kill('SIGKILL');
  const second = net.createServer();
  await new Promise((resolve, reject) => {
    second.once('error', reject);
    second.listen(port, resolve);
  });
  second.close();
});
