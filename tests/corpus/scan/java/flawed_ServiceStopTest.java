// flawed: fixed-sleep
// why: a second after shutdown() the process must not be alive
package com.example;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class ServiceStopTest {
    private final DaemonService service = new DaemonService();

    @Test
    void stopEndsTheDaemon() throws Exception {
        Process process = service.start();
        assertTrue(process.isAlive());
        service.shutdown();
        Thread.sleep(1000);
        assertFalse(process.isAlive());
    }
}
