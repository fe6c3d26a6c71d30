"""Tests of Locus."""
