"""A strict Wazzup of our own, for the demo and the tests. It knows nothing of the gateway.

server      create_simulator(): the one entry
options     how strict, whose credentials, how long things live
world       everything it remembers: calls, faults, users, contacts, deals, conversations, tokens
intake      what every call meets first: it is recorded, delayed, broken, counted
v2  v3      the two generations: a request in, the vendor's answer out
schemas     what each generation accepts, in the words of `checks`
checks      complaints about a body, by field and never by value
auth        who may call which route
grants      the route that gives v2 tokens
tokens      which of them work: issue, rotate, expire
links       the link and the token in it
chats       which chat is which, by whatever name it comes
window      the page behind a link; its own files are window*.html, .css and .js
news        what an open window asks and sends
view        what it shows: chats, messages, deals
deal_list   whose deals those are
conversations, smalltalk   what was said in the chats, and what the made-up contacts say
refusals    the vendor's errors in both generations' shapes
operations  what each route is called
faults      failures on request
controls    the same by HTTP, under /_simulator
"""
