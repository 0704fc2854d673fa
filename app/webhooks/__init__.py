"""Delivering events to the CRM. Law: may repeat, never gives up early, opens no payload."""
