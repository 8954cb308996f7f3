// flawed: deadline-too-short
// why: vi.waitFor polls for a second when it is told nothing
it('ends the worker with its owner', async () => {
  const pid = Number(await readFile(join(folder, 'worker.pid'), 'utf8'));
  await owner.dispose();
  await vi.waitFor(() => expect(isProcessAlive(pid)).toBe(false));
});
