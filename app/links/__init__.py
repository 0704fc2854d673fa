"""Issuing links. Law: fast; may forget; never fails because of its cache."""
