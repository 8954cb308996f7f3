// correct
// why: vi.waitFor is given ten seconds
it('ends the worker with its owner', async () => {
  const pid = Number(await readFile(join(folder, 'worker.pid'), 'utf8'));
  await owner.dispose();
  await vi.waitFor(() => expect(isProcessAlive(pid)).toBe(false), { timeout: 10_000 });
});
