import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // A loaded CI machine needs seconds to start a shell; a time-out here is meant for real hangs.
    testTimeout: 30_000,
    fileParallelism: false,
  },
});
