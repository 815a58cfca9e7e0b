"""Deep models of behaviour and text: `shopkeeper train`. They need the extra `deep` (torch); nothing else does.

`extra.require` is called before a module that imports torch. `sequences` and `wordings` prepare the data
without torch.
"""
