"""The program that nodes run to look at, send, receive and download models. Nothing is installed for it.

Its parts are sent as one text over standard input, or as this folder, which `python3 FOLDER` runs. Standard
library only, Python 3.8 or newer.
"""
