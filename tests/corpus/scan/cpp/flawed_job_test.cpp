// flawed: assign-after-exit
// why: CreateProcess without CREATE_SUSPENDED, then AssignProcessToJobObject must succeed
#include <gtest/gtest.h>
#include <windows.h>

TEST(JobTest, AssignsTheChild)
{
    HANDLE job = CreateJobObjectW(nullptr, nullptr);
    STARTUPINFOW si{sizeof(si)};
    PROCESS_INFORMATION pi{};
    wchar_t command[] = L"cmd.exe /c exit 0";
    ASSERT_TRUE(CreateProcessW(nullptr, command, nullptr, nullptr, FALSE, 0, nullptr, nullptr, &si, &pi));
    ASSERT_TRUE(AssignProcessToJobObject(job, pi.hProcess));
    WaitForSingleObject(pi.hProcess, INFINITE);
    CloseHandle(pi.hThread);
    CloseHandle(pi.hProcess);
    CloseHandle(job);
}
