// flawed: resource-still-held
// why: the server is started again on its port right after the signal
let server;
beforeEach(async () => {
  server = spawn('node', ['server.js'], { env: { PORT: '4000' } });
  await waitForPort(4000);
});
afterEach(() => {
  server.kill();
});
it('starts again', async () => {
  server.kill('SIGTERM');
  server = spawn('node', ['server.js'], { env: { PORT: '4000' } });
  await waitForPort(4000);
});
