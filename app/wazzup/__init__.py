"""Speaking to Wazzup. Law: the only room that knows the vendor's words; nothing of the vendor leaves it raw."""
