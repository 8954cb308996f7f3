// correct
// why: the port is taken before the callback runs, in which the child is killed
const { spawn } = require('node:child_process');

server.listen(port, function () {
  const child = spawn(process.execPath, [__filename, 'child', port]);
  child.on('close', () => server.close());
  server.setTimeout(200, () => child.kill());
});
