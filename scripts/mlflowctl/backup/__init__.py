"""Backups: a set holds the database and the bytes of every object, and can be proven to be whole.

``make`` writes a set, ``check`` reads all of it again, ``restore`` puts it back, ``verify`` does that in a
throw-away stack.
"""
