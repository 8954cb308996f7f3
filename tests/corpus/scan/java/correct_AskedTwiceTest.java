// correct
// why: waits between the two questions
class KillTest {
  @Test
  void gone() throws Exception {
    Process process = new ProcessBuilder("sleep", "60").start();
    assertTrue(Probe.query(process.pid()));
    process.destroyForcibly().waitFor();
    assertFalse(Probe.query(process.pid()));
    assertFalse(registry.contains(process.pid()));
  }
}
