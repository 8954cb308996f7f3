// flawed: deadline-too-short
// why: 100 ms after destroy
package com.example;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ShortWaitTest {
    @Test
    void ends() throws Exception {
        Process process = Runtime.getRuntime().exec("sleep 60");
        process.destroy();
        assertTrue(process.waitFor(100, TimeUnit.MILLISECONDS));
    }
}
