// flawed: deadline-too-short
// why: a second is hardly enough to start a virtual machine on a loaded runner
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ShortLifeTest {
    @Test
    void printsItsVersion() throws Exception {
        Process process = new ProcessBuilder("java", "-jar", "build/tool.jar", "--version").start();
        assertTrue(process.waitFor(1, TimeUnit.SECONDS));
        assertEquals(0, process.exitValue());
    }
}
