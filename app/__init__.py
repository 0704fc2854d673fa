"""The Wazzup Gateway: chat links for CRM pages, and the chat window's events for CRM servers.

A map for the first visit. Feature rooms, thin doors, one wiring, ports beside their reader.

    doors      __main__ (commands)   main (HTTP)   serving (sockets and signals)   demo (everything at once)
               doctor (what is wrong, and what mends it?)
    faces      links.api deals.api health  routes (how one is entered)  edge (middleware)  contract, problems (words)
    wiring     puts everything together: with assembly, which does it for one account, it alone knows every room
    told       settings (the environment)   accounts, accounts_file (who is served)   variables (how they are written)
    rooms      links      issues links: fast; may forget; never fails because of its cache
               deals      tells Wazzup of contacts and deals: contacts first; a refusal names its item
               wazzup     speaks to Wazzup: the only room that knows the vendor's words
               diagnosis  what the doctor finds: harms nothing, quotes no secret
               webhooks   delivers events to the CRM: may repeat, never gives up early, opens no payload
               simulator  a strict Wazzup of our own, for the demo and the tests; imports nothing of the gateway
    store      store (Redis)   embedded (a Valkey of our own)   leases (one replica at a time)   sealing
    callers    auth   user_tokens   keepsake (what is made once and kept)
    floor      errors  clock  sealing  limits   know nothing of ours; telemetry tells what happened

Start with `links/issuer.py`: it is what the gateway is for. `tests/stories/` tells the same as examples, and
`tests/test_rooms.py` enforces who may know whom.
"""
