// correct
// why: the class is the project's own, and its terminate() waits
#include <gtest/gtest.h>

TEST(Subprocess, TerminateWaits) {
    own::subprocess worker;
    run_forever(worker);
    ASSERT_TRUE(worker.is_running());
    EXPECT_TRUE(worker.terminate());
    EXPECT_FALSE(worker.is_running());
}
