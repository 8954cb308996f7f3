<?php
// flawed: fixed-sleep
// why: a pause stands for the wait until the server is gone, in a closure that the event loop runs
final class ClientTest extends TestCase
{
    public function testCloseEndsTheServer(): void
    {
        Loop::run(function () {
            $client = Client::connect($this->command());
            $pid = $client->serverPid();
            $client->close();
            usleep(200000);
            $this->assertFalse(posix_kill($pid, 0));
        });
    }
}
