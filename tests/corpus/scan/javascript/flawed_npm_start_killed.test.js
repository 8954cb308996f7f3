// flawed: survivor
// why: npm cannot pass SIGKILL on to the server that it started
const { spawn } = require("node:child_process");
const { once } = require("node:events");

test("serves the page", async () => {
  const app = spawn("npm", ["run", "serve"], { stdio: ["ignore", "pipe", "inherit"] });
  await once(app.stdout, "data");
  const page = await fetch("http://127.0.0.1:4173/");
  expect(page.status).toBe(200);
  app.kill("SIGKILL");
  await once(app, "exit");
});
