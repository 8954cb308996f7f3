<?php
// flawed: fixed-sleep
// why: a second in setUp stands for the built-in server's start

use PHPUnit\Framework\TestCase;
use Symfony\Component\Process\Process;

final class ReadySleepTest extends TestCase
{
    private Process $server;

    protected function setUp(): void
    {
        $this->server = new Process(['php', '-S', 'localhost:8123']);
        $this->server->start();
        sleep(1);
    }

    protected function tearDown(): void
    {
        $this->server->stop();
    }

    public function testIndex(): void
    {
        $curl = curl_init('http://localhost:8123/');
        curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
        $this->assertSame('ok', curl_exec($curl));
    }
}
