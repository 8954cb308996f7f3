// flawed: fixed-sleep
// why: what runs before all tests starts the stock server and only pauses
class StartedInAFieldTest {
    private static Process stock;

    @BeforeAll
    static void up() throws Exception {
        stock = new ProcessBuilder("java", "-jar", "stock.jar").start();
        Thread.sleep(5000);
    }

    @AfterAll
    static void down() throws Exception {
        stock.destroy();
        stock.waitFor();
    }
}
