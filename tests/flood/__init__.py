"""One node of four says whatever it likes, without end: what does it cost the console and the other nodes?"""
