// flawed: check-before-exit
// why: ProcessHandle.of right after destroyForcibly
package com.example;

import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class PidTest {
    @Test
    void handleIsGone() throws Exception {
        Process process = new ProcessBuilder("sleep", "100").start();
        long pid = process.pid();
        process.destroyForcibly();
        assertTrue(ProcessHandle.of(pid).isEmpty());
    }
}
