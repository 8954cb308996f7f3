// correct
// why: the destructor kills and reaps; the test only reads output
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_;
};

TEST(Child, Prints) {
  Child child(StartEcho("hello"));
  EXPECT_EQ(ReadAll(child), "hello");
}
