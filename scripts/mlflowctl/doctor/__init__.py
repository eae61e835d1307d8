"""The doctor: ordered checks of a platform; each failure names the command that mends it.

``checkup`` holds the order and runs the checks. Nothing here changes anything.
"""
