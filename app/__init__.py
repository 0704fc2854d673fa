"""The Wazzup Gateway: chat links for CRM pages, and the chat window's events for CRM servers.

A map for the first visit. Feature rooms, thin doors, one wiring, ports beside their reader.

    doors      __main__ (commands)   main (HTTP)   serving (sockets and signals)   demo (everything at once)
    faces      links.api  health   routes (how one is entered)  edge (middleware)  contract, problems (their words)
    wiring     the only file that knows every room; settings is the only one that reads the environment
    rooms      links      issues links: fast; may forget; never fails because of its cache
               wazzup     speaks to Wazzup: the only room that knows the vendor's words
               simulator  a strict Wazzup of our own, for the demo and the tests; imports nothing of the gateway
    store      store (Redis)   embedded (a Valkey of our own)   sealing (what lies there is unreadable)
    callers    auth   user_tokens   keepsake (what is made once and kept)
    floor      errors  clock  sealing  limits   know nothing of ours; telemetry tells what happened

Start with `links/issuer.py`: it is what the gateway is for. `tests/stories/` tells the same as examples, and
`tests/test_rooms.py` enforces who may know whom.
"""
