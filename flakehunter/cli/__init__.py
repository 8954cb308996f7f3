"""Commands of the `flakehunter` command line, one module each: parse, one call into the core, print."""
