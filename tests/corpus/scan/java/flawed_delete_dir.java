// flawed: resource-still-held
// why: the killed process may still hold its files open
package demo;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class DataDirTest {
    @Test
    void removesData() throws Exception {
        Path dataDir = Files.createTempDirectory("db");
        Process database = new ProcessBuilder("postgres", "-D", dataDir.toString()).start();
        awaitReady(database);
        database.destroyForcibly();
        Files.delete(dataDir.resolve("postmaster.pid"));
    }
}
