// correct
// why: it is a thread that is interrupted, and no process
package demo;

import static org.junit.jupiter.api.Assertions.assertFalse;

import org.junit.jupiter.api.Test;

class ThreadTest {
    @Test
    void interruptEndsThread() throws Exception {
        Thread thread = new Thread(() -> { });
        thread.start();
        thread.interrupt();
        thread.join();
        assertFalse(thread.isAlive());
    }
}
