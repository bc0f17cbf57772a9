"""The YAML of every room, packaged so that an installed iamm finds it."""
