"""Models that no diagnosis can be made of, as a user would write them."""

REFUSED = """
import keras
from keras import layers

def raises():
    raise RuntimeError("no weights\\nhere")

def maps():
    one = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(3, 1)])
    one.compile("adam", "mse")
    return one

def two_inputs():
    a, b = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    one = keras.Model([a, b], layers.Dense(3)(layers.Flatten()(layers.Add()([a, b]))))
    one.compile("adam", "mse")
    return one
"""
