import { describe, expect, it } from "vitest";
import { formatDuration } from "../src/duration.js";

describe("formatDuration", () => {
  it.each([
    [0, "0 ms"],
    [850, "850 ms"],
    [12_000, "12.0 s"],
    [185_000, "3 min 5 s"],
    [7_200_000, "2 h 0 min"],
  ])("%d ms is %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it("refuses what is no duration", () => {
    expect(() => formatDuration(-1)).toThrow(RangeError);
    expect(() => formatDuration(Number.NaN)).toThrow("not a duration");
  });
});
