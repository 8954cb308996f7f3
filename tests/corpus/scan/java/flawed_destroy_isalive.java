// flawed: check-before-exit
// why: isAlive() straight after destroy()
package demo;

import static org.junit.jupiter.api.Assertions.assertFalse;

import org.junit.jupiter.api.Test;

class RunnerTest {
    @Test
    void destroyEndsProcess() throws Exception {
        Process process = new ProcessBuilder("sleep", "30").start();
        process.destroy();
        assertFalse(process.isAlive());
    }
}
