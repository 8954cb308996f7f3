// flawed: signal-before-ready
// why: the daemon cannot have written its pid yet
const { spawn } = require('child_process');
const fs = require('fs');

test('the daemon can be stopped', () => {
  const daemon = spawn('node', ['daemon.js', pidFile], { detached: true });
  const pid = parseInt(fs.readFileSync(pidFile));
  process.kill(pid);
});
