<?php
// correct
// why: shutdown closes the process, which waits for it; nothing pauses after it

final class DriverTest extends TestCase
{
    public function testShutdownMayBeCalledTwice(): void
    {
        $process = proc_open([PHP_BINARY, '-r', 'sleep(30);'], [['pipe', 'r'], ['pipe', 'w']], $pipes);
        $pid = proc_get_status($process)['pid'];
        $this->assertTrue(posix_kill($pid, 0));

        $driver = new Driver();
        $driver->take($process, $pipes);
        $driver->shutdown();
        $driver->shutdown();

        $this->assertFalse(is_resource($process));
        $this->assertFalse(posix_kill($pid, 0));
    }
}
