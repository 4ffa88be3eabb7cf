"""The published experiments, table by table."""
