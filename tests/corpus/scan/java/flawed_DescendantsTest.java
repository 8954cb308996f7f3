// flawed: check-before-exit
// why: the tree is destroyed through ProcessHandle; a handle is looked at at once
package com.example;

import static org.junit.jupiter.api.Assertions.assertFalse;

import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class DescendantsTest {
    @Test
    void destroysDescendants() throws Exception {
        Process shell = new ProcessBuilder("bash", "-c", "sleep 60 & sleep 60 & wait").start();
        waitForDescendants(shell, 2);
        List<ProcessHandle> children = shell.descendants().collect(Collectors.toList());
        children.forEach(ProcessHandle::destroyForcibly);
        shell.destroyForcibly();
        shell.waitFor();
        for (ProcessHandle handle : children) {
            assertFalse(handle.isAlive());
        }
    }

    private static void waitForDescendants(Process process, int count) throws InterruptedException {
        long end = System.nanoTime() + 10_000_000_000L;
        while (process.descendants().count() < count && System.nanoTime() < end) {
            Thread.sleep(20);
        }
    }
}
