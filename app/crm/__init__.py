"""A small CRM of our own, for the demo: a page with contacts and deals, and the server behind it.

It knows the gateway only by its contract, as any CRM does: a user token for the page, a webhook for the events, a
server key to tell Wazzup of deals. `server.open_crm` is its one entry. It imports nothing of the gateway.

    people, book     what the CRM knows: its contacts, and the deals it keeps in a file
    receiver         its server: verifies what the gateway delivers, and makes deals of it
    gateway, teller  what it asks of the gateway: a webhook at the start, and that Wazzup learns of deals
    page, visitors   what the browser asks for, and who may ask
    feed             what just happened, for the page to show
"""
