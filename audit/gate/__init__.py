"""Gate: is a dataset good enough to train on, from the files of its audit alone?"""
