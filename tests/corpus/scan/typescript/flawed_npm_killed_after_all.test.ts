// flawed: survivor
// why: SIGKILL reaches npm or its shell, and not the server
let server: ChildProcess;
beforeAll(async () => {
  server = spawn('npm', ['start'], { shell: true });
  await waitOn({ resources: ['http://localhost:3000'] });
});
afterAll(() => {
  server.kill('SIGKILL');
});
