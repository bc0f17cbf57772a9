"""IAMM: interest-based attention migration across scenes, and its rivals."""

__version__ = "0.1.0"
