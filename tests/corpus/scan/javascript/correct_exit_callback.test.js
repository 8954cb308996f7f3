// correct
// why: the look stands in the callback of the exit event
const { fork } = require("child_process");

describe("cluster", () => {
  let child;

  beforeEach(() => {
    child = fork(require.resolve("./fixtures/worker.js"));
  });

  it("ends its worker", (done) => {
    child.on("message", () => {
      child.on("exit", (code, signal) => {
        expect(child.exitCode === null && signal === null).toBe(false);
        expect(isRunning(child.pid)).toBe(false);
        done();
      });
      child.kill();
    });
  });
});
