"""Measuring over HTTP: one photo a request, in worker processes, within limits."""
