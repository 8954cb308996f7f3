// correct
// why: wait() blocks until the end
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#include <boost/process.hpp>
#include <csignal>

TEST_CASE("SIGTERM ends the server") {
  boost::process::child server("./server");
  waitForPort(8080);
  ::kill(server.id(), SIGTERM);
  server.wait();
  REQUIRE_FALSE(server.running());
}
