// correct
// why: the pid in the file is that of an earlier daemon; the new one has not written its own yet
const { spawn } = require('child_process');
const fs = require('fs');

function launch(pidFile, log) {
  const daemon = spawn('node', ['daemon.js'], { detached: true, stdio: ['ignore', log, log] });
  try {
    const previousPid = parseInt(fs.readFileSync(pidFile));
    process.kill(previousPid);
  } catch (error) {
    log.write('there was none');
  }
  return daemon;
}
