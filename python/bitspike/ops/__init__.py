"""The boundary to the native module: everything above it is ordinary torch."""
