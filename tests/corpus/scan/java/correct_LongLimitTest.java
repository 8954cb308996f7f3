// correct
// why: half a minute is many times what the program needs; a short wait that only decides what to do next fails nothing
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class LongLimitTest {
    @Test
    void printsItsVersion() throws Exception {
        Process process = new ProcessBuilder("java", "-jar", "build/tool.jar", "--version").start();
        if (!process.waitFor(1, TimeUnit.SECONDS)) {
            System.err.println("a slow machine");
        }
        assertTrue(process.waitFor(30, TimeUnit.SECONDS));
        assertEquals(0, process.exitValue());
    }
}
