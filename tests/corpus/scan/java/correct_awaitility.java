// correct
// why: Awaitility repeats the look for ten seconds
package demo;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.awaitility.Awaitility.await;

import org.junit.jupiter.api.Test;

class ChildrenTest {
    @Test
    void childrenDieWithTheAgent() throws Exception {
        Process agent = new ProcessBuilder("./agent").start();
        ProcessHandle child = agent.children().findFirst().orElseThrow();
        agent.destroyForcibly().waitFor();
        await().atMost(10, SECONDS).until(() -> !child.isAlive());
    }
}
