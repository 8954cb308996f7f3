// correct
// why: waitFor() returns after the exit
package demo;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class RunnerTest {
    @Test
    void destroyEndsProcess() throws Exception {
        Process process = new ProcessBuilder("sleep", "30").start();
        process.destroy();
        assertTrue(process.waitFor(30, TimeUnit.SECONDS));
        assertFalse(process.isAlive());
    }
}
