"""The Wazzup Gateway: chat links for CRM pages, and the chat window's events for CRM servers.

A map for the first visit. Feature rooms, thin doors, one wiring, ports beside their reader.

    doors      __main__ (commands)   main (HTTP)   serving (sockets and signals)   demo (everything at once)
               doctor (what is wrong, and what mends it?)
               worker (delivers, and nothing else)
    faces      links.api events.api webhooks.api webhooks.records_api deals.api web.api health
               routes (how one is entered)   edge (middleware)   contract, problems (their words)
    wiring     puts everything together: with assembly and outgoing, which do it for one account, it knows every room
    told       settings (the environment)   accounts, accounts_file (who is served)   variables (how they are written)
    rooms      links      issues links: fast; may forget; never fails because of its cache
               events     receives the window's events: 202 is a promise; nothing accepted is lost
               webhooks   delivers them: may repeat, never gives up early, opens no payload
               deals      tells Wazzup of contacts and deals: contacts first; a refusal names its item
               wazzup     speaks to Wazzup: the only room that knows the vendor's words
               web        what CRM pages load: a chat element in a few lines; no secret, no build step
               diagnosis  what the doctor finds: harms nothing, quotes no secret
               simulator  a strict Wazzup of our own, for the demo and the tests; imports nothing of the gateway
               crm        a small CRM of our own, for the demo; knows the gateway only by its contract
    store      store (Redis)   redis_clients (what its URL leads to)   embedded (a Valkey of our own)   sealing
               leases (one replica at a time)   bells (what rings between processes)
    callers    auth   user_tokens   keepsake (what is made once and kept)
    floor      errors  clock  sealing  limits  ids  bodies  connections   know nothing of ours
               telemetry (tells what happened)

Start with `links/issuer.py`: it is what the gateway is for. `tests/stories/` tells the same as examples, and
`tests/test_rooms.py` enforces who may know whom.
"""
