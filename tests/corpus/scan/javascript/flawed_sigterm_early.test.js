// flawed: signal-before-ready
// why: SIGTERM right after spawn of a script that sets a handler
const { spawn } = require('child_process');

test('handler runs', (done) => {
  const child = spawn(process.execPath, ['-e', `
    process.on('SIGTERM', () => { console.log('bye'); process.exit(0); });
    setInterval(() => {}, 1000);
  `]);
  child.kill('SIGTERM');
  child.on('exit', (code) => {
    expect(code).toBe(0);
    done();
  });
});
