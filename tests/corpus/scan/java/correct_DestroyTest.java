// correct
// why: waitFor with ten seconds comes first
package com.example;

import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.Test;

public class DestroyOkTest {
    @Test
    public void destroysTheChild() throws Exception {
        Process child = new ProcessBuilder("sleep", "60").start();
        child.destroy();
        assertTrue(child.waitFor(10, TimeUnit.SECONDS));
        assertFalse(child.isAlive());
    }
}
