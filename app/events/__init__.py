"""Receiving the chat window's events. Law: 202 is a promise; nothing accepted is lost."""
