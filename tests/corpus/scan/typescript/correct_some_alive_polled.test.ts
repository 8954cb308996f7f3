// correct
// why: all of them are asked again and again, for twenty seconds
import { expect, test } from 'vitest';
import { isProcessAlive } from '../src/process';
import { startBoth } from './both';

test('stop ends both', async () => {
  const { service, pids } = await startBoth();
  await service.stop();
  const deadline = Date.now() + 20_000;
  while (Date.now() < deadline && pids.some(isProcessAlive)) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  for (const pid of pids) expect(isProcessAlive(pid)).toBe(false);
});
