// flawed: check-before-exit
// why: the process is probed once, right after its group was signalled
#include <gtest/gtest.h>
#include <signal.h>

#include "subprocess.h"

TEST(Subprocess, KillGroup) {
  Subprocess shell({"sh", "-c", "sleep 60 & echo $!; wait"});
  const pid_t member = std::stoi(shell.ReadLine());
  kill(-shell.pid(), SIGTERM);
  EXPECT_EQ(-1, kill(member, 0));
}
