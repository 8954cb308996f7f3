// flawed: fixed-sleep
// why: the assertions run a fixed time after the signal
const { spawn } = require("child_process");
const assert = require("assert");

describe("daemon", function () {
  it("goes away on SIGTERM", function (done) {
    const daemon = spawn(process.execPath, ["daemon.js"]);
    daemon.stdout.once("data", () => {
      daemon.kill("SIGTERM");
      setTimeout(() => {
        assert.notStrictEqual(daemon.exitCode, null);
        done();
      }, 500);
    });
  });
});
