// correct
// why: the folder is removed after the close event
const fs = require("fs");
const { once } = require("events");
const { spawn } = require("child_process");

test("server keeps its data below the given folder", async () => {
  const dataDir = fs.mkdtempSync("/tmp/db-");
  const server = spawn("mongod", ["--dbpath", dataDir]);
  await waitForPort(27017);
  server.kill();
  await once(server, "close");
  fs.rmSync(dataDir, { recursive: true });
});
