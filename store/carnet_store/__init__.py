"""The front door: Store, its public types and its errors. Nothing else here is public."""
