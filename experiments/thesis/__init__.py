"""The thesis, table by table and figure by figure: what it trained, what it printed, and what came out here."""
