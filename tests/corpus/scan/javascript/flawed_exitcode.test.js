// flawed: check-before-exit
// why: kill() and then exitCode or signalCode in the same tick
const { fork } = require('child_process');

describe('worker', () => {
  it('stops when killed', () => {
    const worker = fork('./worker.js');
    worker.kill('SIGTERM');
    expect(worker.signalCode).toBe('SIGTERM');
  });
});
