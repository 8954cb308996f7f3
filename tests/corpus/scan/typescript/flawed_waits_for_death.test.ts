// flawed: deadline-too-short
// why: a function of the project that is called like a wait, with a second by default
async function waitForDeath(pid: number, ms = 1000): Promise<boolean> {
  const end = Date.now() + ms;
  while (Date.now() < end) {
    if (!isAlive(pid)) return true;
    await sleep(20);
  }
  return false;
}
it('kills the group', async () => {
  const child = spawn('sh', ['-c', 'sleep 99 & echo $!; wait'], { detached: true });
  const pid = Number(String((await once(child.stdout, 'data'))[0]));
  process.kill(-child.pid, 'SIGKILL');
  expect(await waitForDeath(pid)).toBe(true);
});
