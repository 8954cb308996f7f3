// flawed: check-before-exit
// why: destroyForcibly and isAlive in the next statement
package com.example;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import org.junit.jupiter.api.Test;

class DestroyTest {
    @Test
    void destroysTheChild() throws IOException {
        Process child = new ProcessBuilder("sleep", "60").start();
        child.destroyForcibly();
        assertThat(child.isAlive()).isFalse();
    }
}
