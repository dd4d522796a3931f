"""Small Keras models for tests, healthy and spoiled, on 16 px pictures of scikit-learn's digits."""

import numpy as np
from sklearn.datasets import load_digits

from audit.diagnosis.anatomy import anatomy
from audit.diagnosis.case import Case
from audit.diagnosis.dataset import split
from audit.diagnosis.experiment import Epoch, Training
from audit.diagnosis.initial import look
from audit.diagnosis.subject import Regime, Subject
from audit.keras_runtime import load_keras

SIDE = 16
CLASSES = 4


def digits(per_class=60):
    """Real digits from 0 to 3."""
    data = load_digits()
    rows = np.concatenate([np.flatnonzero(data.target == one)[:per_class]
                           for one in range(CLASSES)])
    small = (data.images[rows] * (255 / 16)).astype(np.uint8)
    pictures = np.repeat(np.kron(small, np.ones((1, 2, 2), np.uint8))[..., None], 3, axis=3)
    return split(pictures, data.target[rows].astype(np.int64),
                 tuple(str(one) for one in range(CLASSES)), 0)


def dense(*, width=32, depth=1, activation="relu", last="softmax", units=CLASSES, scale=1 / 255,
          loss="sparse_categorical_crossentropy", optimizer=None, initializer=None, dropout=0.0,
          penalty=0.0, trainable=True, normalised=0.0, constraint=None):
    """A dense network; each argument is what a test spoils."""
    keras = load_keras()
    layers = keras.layers
    more = {} if initializer is None else {"kernel_initializer": initializer}
    if penalty:
        more["kernel_regularizer"] = keras.regularizers.L2(penalty)
    if constraint is not None:
        more["kernel_constraint"] = constraint
    row = [keras.Input((SIDE, SIDE, 3))]
    if scale:
        row.append(layers.Rescaling(scale))
    row.append(layers.Flatten())
    for _ in range(depth):
        row.append(layers.Dense(width, activation=activation, trainable=trainable, **more))
        if normalised:
            row.append(layers.BatchNormalization(momentum=float(normalised)))
        if dropout:
            row.append(layers.Dropout(dropout))
    row.append(layers.Dense(units, activation=last, **more))
    model = keras.Sequential(row)
    model.compile(optimizer or keras.optimizers.Adam(4e-3), loss)
    return model


def subject_of(epochs=10, batch_size=32, **arguments):
    """What is diagnosed, made of `dense`."""
    return Subject("a test's", lambda: dense(**arguments), Regime(epochs, batch_size))


def training(recall=0.3, losses=(1.4, 1.3, 1.2), updates=300, **more):
    """A training that went so."""
    count = len(losses)
    epochs = tuple(Epoch(place + 1, updates * (place + 1) // count, loss, loss, recall)
                   for place, loss in enumerate(losses))
    return Training(epochs, recall, recall, **more)


def case_of(subject, *, as_it_is=None, images=None):
    """A case of a model that falls short, without any training."""
    images = images or digits()
    about = anatomy(subject.build(0))
    return Case(subject, about, images, look(subject, about, images, 0),
                as_it_is or training(), training(0.95, updates=500), None)
