"""The ledger's grammar: canonical bytes, events, keys, fold. Pure; knows no handoff."""
