// correct
// why: waitpid() returns after the exit
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(Subprocess, Kill) {
  pid_t pid = fork();
  ASSERT_NE(pid, -1);
  if (pid == 0) {
    pause();
    _exit(0);
  }
  ASSERT_EQ(kill(pid, SIGKILL), 0);
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_EQ(kill(pid, 0), -1);
}
