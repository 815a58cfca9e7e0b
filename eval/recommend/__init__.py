"""What `shopkeeper bench recommend` is made of.

protocol.py   windows, targets, measures       peers.py      the libraries' own recommenders, the quick reference
ours.py       our recommenders and the blend   sequences.py  the published leave-one-out protocol
page.py       the page with plots          scenarios.py  onboarding, brand family
"""
