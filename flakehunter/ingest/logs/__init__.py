"""Readers of console logs, one module a format.

A format is recognised by what stands in the log, never by the file's name: `reading.read_log` takes the prefixes of the
CI service off (`prefixes`), gives every line to the formats' readers, and keeps the lines that `events` finds worth it.
"""
