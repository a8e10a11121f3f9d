"""Packages of a person's own, written from templates: a method, a dataset."""
