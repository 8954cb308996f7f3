// correct
// why: created suspended, assigned, then resumed
#include <gtest/gtest.h>
#include <windows.h>

TEST(JobTest, AssignsTheChild)
{
    HANDLE job = CreateJobObjectW(nullptr, nullptr);
    STARTUPINFOW si{sizeof(si)};
    PROCESS_INFORMATION pi{};
    wchar_t command[] = L"cmd.exe /c exit 0";
    ASSERT_TRUE(CreateProcessW(nullptr, command, nullptr, nullptr, FALSE, CREATE_SUSPENDED, nullptr, nullptr, &si, &pi));
    ASSERT_TRUE(AssignProcessToJobObject(job, pi.hProcess));
    ResumeThread(pi.hThread);
    WaitForSingleObject(pi.hProcess, INFINITE);
    DWORD code = 0;
    ASSERT_TRUE(GetExitCodeProcess(pi.hProcess, &code));
    EXPECT_EQ(0u, code);
}
