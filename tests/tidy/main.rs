//! Reads the repository and checks its walls.
