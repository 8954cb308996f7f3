// correct
// why: the pause is how long the load runs; it is killed, and nothing depends on how far it came
class RunsForAWhileTest {
    @Test
    void loadCanBeKilled() throws Exception {
        Process load = new ProcessBuilder("make-load", "--threads", "4").start();
        Thread.sleep(3000);
        load.destroyForcibly();
        load.waitFor();
    }
}
