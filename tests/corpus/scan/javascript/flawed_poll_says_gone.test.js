// flawed: deadline-too-short
// why: the poll itself demands that the process is gone within a second
test('stops', async () => {
  const pid = Number(fs.readFileSync(pidFile, 'utf8'));
  await stopDaemon(pidFile);
  await expect.poll(() => isProcessRunning(pid), { timeout: 1_000 }).toBe(false);
});
