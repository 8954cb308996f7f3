// flawed: fixed-sleep
// why: a fifth of a second stands for the end of the server that disconnect() is to end
test("no server is left after disconnect()", async () => {
  const connection = await connectToServer();
  const { pid } = connection;
  expect(isProcessAlive(pid)).toBe(true);
  await connection.disconnect();
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(isProcessAlive(pid)).toBe(false);
});
