"""Telling Wazzup of deals. Law: contacts before deals; a refusal names its item; telling again changes nothing."""
