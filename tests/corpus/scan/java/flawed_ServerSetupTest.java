// flawed: fixed-sleep
// why: a second in @BeforeEach stands for the server's start
package com.example;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.net.HttpURLConnection;
import java.net.URL;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ServerSetupTest {
    private Process server;

    @BeforeEach
    void startServer() throws Exception {
        server = new ProcessBuilder("java", "-jar", "server.jar").start();
        Thread.sleep(1000);
    }

    @AfterEach
    void stopServer() throws Exception {
        server.destroy();
        server.waitFor();
    }

    @Test
    void answers() throws Exception {
        HttpURLConnection connection = (HttpURLConnection) new URL("http://localhost:8080/").openConnection();
        connection.connect();
        assertEquals(200, connection.getResponseCode());
    }
}
