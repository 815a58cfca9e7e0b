"""The knowledge graph of a shop: segments, categories, departments, products, brands and needs.

trips.py      trips and categories as numbers, cut at a day
counting.py   what goes together, what comes after, who buys both: counts and lifts
needs.py      what customers search for, and what they buy then
build.py      nodes and edges as two tables, written into a version
graph.py      the two tables as a NetworkX graph
why.py        why two things go together, with figures
reach.py      categories that a customer never bought, reached from those bought

Customers are not nodes: their edges to what they bought stay in the version's tables, and a customer
enters the graph when asked about, so that the graph stays small whatever the number of customers.
"""
