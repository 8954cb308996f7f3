// flawed: fixed-sleep
// why: Thread.sleep stands for waitFor; exitValue() throws for a process that lives
package demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import org.junit.Test;

public class ShutdownTest {
    private Process server;

    @Test
    public void exitsCleanly() throws IOException, InterruptedException {
        server = new ProcessBuilder("java", "-jar", "server.jar").inheritIO().start();
        awaitPort(8080);
        server.destroy();
        Thread.sleep(500);
        assertThat(server.exitValue()).isEqualTo(143);
    }
}
