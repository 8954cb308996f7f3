// flawed: resource-still-held
// why: the server is started again right after the signal, while the old one may hold its port
let server;
function restart() {
  if (server) {
    server.kill();
  }
  server = spawn('node', ['dist/index.js'], { stdio: 'inherit' });
}
watch('dist', restart);
