// correct
// why: waits for the exit before the server is started again
let server;
async function restart() {
  if (server) {
    server.kill();
    await once(server, 'exit');
  }
  server = spawn('node', ['dist/index.js'], { stdio: 'inherit' });
}
