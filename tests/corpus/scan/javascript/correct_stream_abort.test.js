// correct
// why: nothing here has a process; abort() cancels a request
test("an aborted request rejects", async () => {
  const controller = new AbortController();
  const pending = fetch("http://localhost:1/", { signal: controller.signal });
  controller.abort();
  await expect(pending).rejects.toThrow("aborted");
  expect(controller.signal.aborted).toBe(true);
});
