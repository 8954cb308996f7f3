// correct
// why: the short wait only decides whether a stronger signal is sent
const { waitForWorkerExit } = require("worker-tools");
const { once } = require("node:events");
const { fork } = require("node:child_process");

test("the worker ends", async () => {
  const worker = fork("worker.js");
  await once(worker, "message");
  worker.kill();
  if (!(await waitForWorkerExit(worker, 500))) worker.kill("SIGKILL");
  expect(await waitForWorkerExit(worker, 30000)).toBe(true);
});
