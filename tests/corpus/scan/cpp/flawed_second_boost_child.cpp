// flawed: check-before-exit
// why: terminate() of a raw pid and kill(pid, 0)
#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <sys/types.h>
#include <unistd.h>

TEST_CASE("sigkill ends the child")
{
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::execlp("sleep", "sleep", "60", nullptr);
        ::_exit(127);
    }
    REQUIRE(::kill(pid, SIGKILL) == 0);
    REQUIRE(::kill(pid, 0) == -1);
}
