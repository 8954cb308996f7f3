// flawed: deadline-too-short
// why: Awaitility gives the grandchild one second
class KillTest {
  @Test
  void childGone() throws Exception {
    Process process = new ProcessBuilder(javaBin, "-cp", cp, "Main").start();
    long child = readPid(process);
    process.destroyForcibly();
    await().atMost(Duration.ofSeconds(1)).until(() -> ProcessHandle.of(child).isEmpty());
  }
}
