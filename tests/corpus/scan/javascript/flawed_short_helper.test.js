// flawed: deadline-too-short
// why: half a second is all that the killed worker gets before the test fails
const { waitForWorkerExit } = require("worker-tools");
const { once } = require("node:events");
const { fork } = require("node:child_process");

test("the worker ends", async () => {
  const worker = fork("worker.js");
  await once(worker, "message");
  worker.kill();
  expect(await waitForWorkerExit(worker, 500)).toBe(true);
});
