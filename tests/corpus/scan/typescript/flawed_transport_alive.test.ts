// flawed: fixed-sleep
// why: the worker was alive, and has to be gone after a pause, whatever it is that ends it
import { startWorker } from './worker-process';

test('the worker ends with its socket', async () => {
  const worker = await startWorker();
  expect(worker.isAlive()).toBe(true);
  socket.destroy();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(worker.isAlive()).toBe(false);
});
