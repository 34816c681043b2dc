"""Runs on both ends of a copy of an image, from standard input: Python 3.8 and its standard library only.

The sender's part starts a reader of layers in a container of the image itself and one `ssh` to the receiver,
through which the receiver's part fetches what its engine lacks. Nothing is installed, no `sudo` is needed.
"""
