// flawed: fixed-sleep
// why: a pause of 50 ms stands for wait()
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#include <boost/process.hpp>
#include <chrono>
#include <csignal>
#include <thread>

TEST_CASE("SIGTERM ends the server") {
  boost::process::child server("./server");
  waitForPort(8080);
  ::kill(server.id(), SIGTERM);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  REQUIRE_FALSE(server.running());
}
