"""Find flaky tests in a CI history, say why they flake, reproduce them, and prove that a fix holds."""

__version__ = "0.1.0"
