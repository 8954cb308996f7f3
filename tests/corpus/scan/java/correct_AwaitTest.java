// correct
// why: Awaitility repeats the look
package com.example;

import static org.awaitility.Awaitility.await;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class AwaitOkTest {
    @Test
    void ends() throws Exception {
        Process process = new ProcessBuilder("sleep", "60").start();
        process.destroy();
        await().atMost(Duration.ofSeconds(20)).until(() -> !process.isAlive());
    }
}
