// flawed: check-before-exit
// why: ava's t.false, right after SIGKILL
test('kill', (t) => {
  const child = fork('worker.js');
  process.kill(child.pid, 'SIGKILL');
  t.false(isRunning(child.pid));
});
