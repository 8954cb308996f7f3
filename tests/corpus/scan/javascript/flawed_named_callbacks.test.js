// flawed: fixed-sleep
// why: the callback of the timer has a name, and asks ps once
const assert = require("node:assert");
const { exec, fork } = require("node:child_process");

fork(`${__dirname}/parent.js`).on("message", function (grandchildPid) {
  const parent = this;

  function look() {
    exec(`ps -p ${grandchildPid}`, (error, stdout) => {
      assert.strictEqual(stdout.split("\n")[1], "");
    });
  }

  function end() {
    process.kill(parent.pid, "SIGKILL");
    setTimeout(look, 150);
  }

  setTimeout(end, 100);
});
