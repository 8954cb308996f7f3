// correct
// why: both run the same program, which many may do at once
const { execFile } = require('node:child_process');

{
  const child = execFile(process.execPath, [script, 'slow']);
  child.kill();
}
{
  execFile(process.execPath, [script, 'quick'], mustSucceed());
}
