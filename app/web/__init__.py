"""What CRM pages load from the gateway: a few lines of JavaScript that put a chat into a page and do it right."""
