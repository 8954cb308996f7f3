// flawed: deadline-too-short
// why: 100 ms are less than a loaded machine needs
package demo;

import static org.junit.Assert.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.Test;

public class StopTest {
    @Test
    public void stopsQuickly() throws Exception {
        Process process = Runtime.getRuntime().exec(new String[] {"sleep", "100"});
        process.destroyForcibly();
        assertTrue("did not stop", process.waitFor(100, TimeUnit.MILLISECONDS));
    }
}
