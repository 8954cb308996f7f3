// flawed: deadline-too-short
// why: a second after close is all that the controller gets
import static org.junit.Assert.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.Test;

public class CloseThenShortWaitTest {
    @Test
    public void controllersEndWithTheirSpawner() throws Exception {
        Spawner spawner = new Spawner();
        spawner.spawnControllers(environment);
        Process controller = spawner.getProcesses().get(0);
        spawner.close();
        assertTrue(controller.waitFor(1, TimeUnit.SECONDS));
    }
}
