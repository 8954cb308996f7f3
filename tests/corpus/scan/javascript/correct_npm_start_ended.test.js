// correct
// why: npm passes SIGTERM on, and is waited for
const { spawn } = require("node:child_process");
const { once } = require("node:events");

test("serves the page", async () => {
  const app = spawn("npm", ["run", "serve"], { stdio: ["ignore", "pipe", "inherit"] });
  await once(app.stdout, "data");
  const page = await fetch("http://127.0.0.1:4173/");
  expect(page.status).toBe(200);
  app.kill("SIGTERM");
  await once(app, "exit");
});
