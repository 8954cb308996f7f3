// flawed: resource-still-held
// why: the server may still write into the folder that is removed
const fs = require("fs");
const { spawn } = require("child_process");

test("server keeps its data below the given folder", async () => {
  const dataDir = fs.mkdtempSync("/tmp/db-");
  const server = spawn("mongod", ["--dbpath", dataDir]);
  await waitForPort(27017);
  server.kill();
  fs.rmSync(dataDir, { recursive: true });
});
