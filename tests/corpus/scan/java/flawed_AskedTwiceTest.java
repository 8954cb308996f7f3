// flawed: check-before-exit
// why: the same question about the pid is answered yes before the kill, and has to be answered no right after it
class KillTest {
  @Test
  void gone() throws Exception {
    Process process = new ProcessBuilder("sleep", "60").start();
    assertTrue(Probe.query(process.pid()));
    process.destroyForcibly();
    assertFalse(Probe.query(process.pid()));
  }
}
