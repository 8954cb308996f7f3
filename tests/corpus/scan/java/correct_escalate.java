// correct
// why: the short wait decides on the escalation, and the last wait has no limit
package demo;

import static org.junit.jupiter.api.Assertions.assertFalse;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class EscalationTest {
    private static void stop(Process process) throws InterruptedException {
        process.destroy();
        if (!process.waitFor(500, TimeUnit.MILLISECONDS)) {
            process.destroyForcibly();
            process.waitFor();
        }
    }

    @Test
    void stops() throws Exception {
        Process process = new ProcessBuilder("sleep", "100").start();
        stop(process);
        assertFalse(process.isAlive());
    }
}
