"""Probes, one a file: each looks at a case and says what it suspects, never what it knows."""
