"""Networks that learn and mutations of them that do not, on three datasets, with the causes.

Mutations are after DeepCrime's operators (Humbatova, Jahangirova and Tonella, ISSTA 2021), one
at a time. Whoever wrote them had not seen the diagnosis. Each healthy network was trained once
and reached what `MEASURED` says; each mutation was trained once and was clearly worse than the
network it is a mutation of.

Integer labels are given throughout; `targets` encodes them as the loss of a model wants them, and
`predicted` turns its output into classes.
"""

import csv
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import keras
import numpy as np
from keras import layers
from PIL import Image
from sklearn.datasets import load_digits

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SIDE = 32
CLASSES = 10
IMAGES = 2_000
SEED = 0

DATASETS = ("digits", "cifar", "signs")


def _resized(picture: Image.Image) -> np.ndarray:
    """32 x 32 pixels of three channels."""
    return np.asarray(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def _digits():
    bunch = load_digits()
    gray = np.round(bunch.images * (255 / 16)).astype(np.uint8)
    pictures = np.stack([_resized(Image.fromarray(image)) for image in gray])
    return pictures, bunch.target, tuple(str(name) for name in bunch.target_names)


def _zipped(archive: str, names_of: Callable[[zipfile.ZipFile], list[tuple[str, str]]]):
    """The first images of each class of a zip, as many of each."""
    with zipfile.ZipFile(DATA / archive) as file:
        by_class: dict[str, list[str]] = {}
        for path, name in names_of(file):
            by_class.setdefault(name, []).append(path)
        names = tuple(sorted(by_class))
        pictures, labels = [], []
        for number, name in enumerate(names):
            for path in by_class[name][: IMAGES // len(names)]:
                pictures.append(_resized(Image.open(io.BytesIO(file.read(path)))))
                labels.append(number)
    return np.stack(pictures), np.array(labels), names


def _cifar_names(file):
    table = io.StringIO(file.read("cifar10n/labels.csv").decode())
    return [("cifar10n/" + row["path"], row["clean_label"]) for row in csv.DictReader(table)]


def _sign_names(file):
    paths = sorted(path for path in file.namelist() if path.lower().endswith(".jpg"))
    return [(path, path.split("/")[-2]) for path in paths]


@cache
def load(name: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Pictures (n, 32, 32, 3) of bytes, numbers of their classes, names of the classes.

    In an order that is random and always the same. Copy before writing into them.
    """
    if name == "digits":
        pictures, labels, names = _digits()
    elif name == "cifar":
        pictures, labels, names = _zipped("cifar10n-10k.zip", _cifar_names)
    else:
        pictures, labels, names = _zipped("sign-language-digits.zip", _sign_names)
    order = np.random.default_rng(SEED).permutation(len(labels))
    return pictures[order], labels[order].astype(int), names


SCALE = 1 / 255
Adam = keras.optimizers.Adam
SGD = keras.optimizers.SGD
MOMENTUM = partial(SGD, momentum=0.9)
SPARSE = "sparse_categorical_crossentropy"
LOGITS = partial(keras.losses.SparseCategoricalCrossentropy, from_logits=True)
ONE_HOT_LOGITS = partial(keras.losses.CategoricalCrossentropy, from_logits=True)


@dataclass(frozen=True)
class Recipe:
    """A network, its loss and its optimizer; called, it builds and compiles them."""

    body: Callable
    widths: tuple[int, ...]
    dense: tuple[int, ...] = ()
    depth: int = 0
    scale: tuple[float, ...] = (SCALE,)
    offset: float = 0.0
    activation: str | None = "relu"
    initializer: Callable | str = "glorot_uniform"
    bias: Callable | str = "zeros"
    norm: bool = False
    memory: float = 0.99
    average: bool = False
    dropout: float = 0.0
    penalty: Callable | None = None
    constraint: Callable | None = None
    augment: tuple[Callable, ...] = ()
    frozen: str = ""
    units: int = CLASSES
    last: str | None = "softmax"
    after: str | None = None
    loss: Callable | str = SPARSE
    optimizer: Callable = Adam
    rate: float | Callable = 1e-3

    def __call__(self) -> keras.Model:
        inputs = keras.Input((SIDE, SIDE, 3))
        x = inputs
        for factor in self.scale:
            x = layers.Rescaling(factor, offset=self.offset)(x)
        for layer in self.augment:
            x = layer()(x)
        x = self.body(self, x)
        for width in self.dense:
            x = self.drop(self.activate(self.weighted(layers.Dense, width)(x)))
        outputs = self.weighted(layers.Dense, self.units, activation=self.last)(x)
        if self.after:
            outputs = layers.Activation(self.after)(outputs)
        model = keras.Model(inputs, outputs)
        if self.frozen:
            for layer in model.layers if self.frozen == "all" else model.layers[:-1]:
                layer.trainable = False
        model.compile(
            optimizer=self.optimizer(self.rate() if callable(self.rate) else self.rate),
            loss=self.loss if isinstance(self.loss, str) else self.loss(),
            metrics=["accuracy"],
        )
        return model

    def weighted(self, kind, width, *arguments, **options):
        """A layer with weights, as the recipe wants them."""
        return kind(
            width,
            *arguments,
            bias_initializer=_made(self.bias),
            **dict.fromkeys(_parts(kind, "initializer"), _made(self.initializer)),
            **dict.fromkeys(_parts(kind, "regularizer"), _made(self.penalty)),
            **dict.fromkeys(_parts(kind, "constraint"), _made(self.constraint)),
            **options,
        )

    def convolve(self, x, width, *, size=3, strides=1, kind=layers.Conv2D):
        """A convolution, its normalisation and its activation."""
        x = self.weighted(kind, width, size, strides=strides, padding="same")(x)
        return self.activate(self.normalise(x))

    def normalise(self, x):
        return layers.BatchNormalization(momentum=self.memory)(x) if self.norm else x

    def activate(self, x):
        return layers.Activation(self.activation)(x) if self.activation else x

    def drop(self, x):
        return layers.Dropout(self.dropout)(x) if self.dropout else x

    def pool(self, x):
        return (layers.AveragePooling2D if self.average else layers.MaxPooling2D)(2)(x)


def _made(what):
    """A new object when a way to make it is given: initializers must not be shared."""
    return what() if callable(what) else what


def _parts(kind, what):
    kernels = ("depthwise", "pointwise") if kind is layers.SeparableConv2D else ("kernel",)
    return [f"{kernel}_{what}" for kernel in kernels]


def flat(recipe, x):
    """Dense layers over all pixels."""
    x = layers.Flatten()(x)
    for width in recipe.widths + recipe.widths[-1:] * recipe.depth:
        x = recipe.weighted(layers.Dense, width)(x)
        x = recipe.drop(recipe.activate(recipe.normalise(x)))
    return x


def plain(recipe, x):
    """A convolution and a pooling for each width."""
    for width in recipe.widths:
        x = recipe.drop(recipe.pool(recipe.convolve(x, width)))
    for _ in range(recipe.depth):
        x = recipe.convolve(x, recipe.widths[-1])
    return layers.Flatten()(x)


def averaged(recipe, x):
    """As `plain`, with the mean over the picture instead of all positions."""
    for width in recipe.widths:
        x = recipe.pool(recipe.convolve(x, width))
    for _ in range(recipe.depth):
        x = recipe.convolve(x, recipe.widths[-1])
    return recipe.drop(layers.GlobalAveragePooling2D()(x))


def strided(recipe, x):
    """Convolutions with strides, no pooling but that of the whole picture."""
    for width in recipe.widths:
        x = recipe.convolve(x, width, strides=2)
    for _ in range(recipe.depth):
        x = recipe.convolve(x, recipe.widths[-1])
    return recipe.drop(layers.GlobalAveragePooling2D()(x))


def vgg(recipe, x):
    """Two convolutions before each pooling."""
    for width in recipe.widths:
        x = recipe.convolve(recipe.convolve(x, width), width)
        x = recipe.drop(recipe.pool(x))
    for _ in range(recipe.depth):
        x = recipe.convolve(x, recipe.widths[-1])
    return layers.Flatten()(x)


def lenet(recipe, x):
    """LeNet's two convolutions of 5 x 5."""
    for width in recipe.widths:
        x = recipe.pool(recipe.convolve(x, width, size=5))
    for _ in range(recipe.depth):
        x = recipe.convolve(x, recipe.widths[-1])
    return layers.Flatten()(x)


def separable(recipe, x):
    """A strided convolution and separable ones, as in MobileNet."""
    x = recipe.convolve(x, recipe.widths[0], strides=2)
    for width in recipe.widths[1:]:
        x = recipe.pool(recipe.convolve(x, width, kind=layers.SeparableConv2D))
    return recipe.drop(layers.GlobalAveragePooling2D()(x))


def residual(recipe, x):
    """A strided convolution for each width with a residual block after it."""
    for width in recipe.widths:
        x = recipe.convolve(x, width, strides=2)
        inner = recipe.convolve(x, width)
        inner = recipe.weighted(layers.Conv2D, width, 3, padding="same")(inner)
        x = recipe.activate(layers.Add()([x, recipe.normalise(inner)]))
    return recipe.drop(layers.GlobalAveragePooling2D()(x))


def nested(recipe, x):
    """A model inside the model, as with a backbone of `keras.applications`."""
    inputs = keras.Input(x.shape[1:])
    backbone = keras.Model(inputs, plain(recipe, inputs), name="backbone")
    return backbone(x)


@dataclass(frozen=True)
class Configuration:
    """A network to train on a dataset, and what is wrong with either."""

    name: str
    dataset: str
    build: Callable[[], keras.Model]
    epochs: int
    batch_size: int
    spoil: Callable | None
    causes: tuple[str, ...]
    healthy: str
    half: str


def targets(model: keras.Model, labels: np.ndarray, classes: int = CLASSES) -> np.ndarray:
    """Labels as the model's loss wants them: numbers when it is sparse or there is one unit."""
    loss = model.loss if isinstance(model.loss, str) else model.loss.name
    if loss.startswith("sparse_") or model.output_shape[-1] == 1:
        return labels
    return keras.utils.to_categorical(labels, classes)


def predicted(outputs: np.ndarray, classes: int = CLASSES) -> np.ndarray:
    """Classes from what a model put out; of one unit, the nearest number."""
    if outputs.shape[-1] == 1:
        return np.clip(np.round(np.nan_to_num(outputs[:, 0])), 0, classes - 1).astype(int)
    return outputs.argmax(axis=1)


def wrong_labels(pictures, labels, rng, *, share):
    """A share of the labels replaced by another class."""
    labels = labels.copy()
    chosen = rng.choice(len(labels), round(share * len(labels)), replace=False)
    labels[chosen] = (labels[chosen] + rng.integers(1, CLASSES, len(chosen))) % CLASSES
    return pictures, labels


def confused_labels(pictures, labels, rng, *, share):
    """A share of the labels of each class replaced by the next class."""
    labels = labels.copy()
    chosen = rng.choice(len(labels), round(share * len(labels)), replace=False)
    labels[chosen] = (labels[chosen] + 1) % CLASSES
    return pictures, labels


def shuffled_labels(pictures, labels, rng):
    """Labels in another order than the pictures."""
    return pictures, rng.permutation(labels)


def few(pictures, labels, rng, *, share):
    """A share of the images of each class, of each at least one."""
    kept = np.sort(np.concatenate([_some(labels, k, share, 1, rng) for k in np.unique(labels)]))
    return pictures[kept], labels[kept]


def imbalanced(pictures, labels, rng, *, share=0.01):
    """Half of the classes cut to a share of their images, of each at least two."""
    cut = rng.choice(CLASSES, CLASSES // 2, replace=False)
    kept = [_some(labels, k, share if k in cut else 1, 2, rng) for k in np.unique(labels)]
    kept = np.sort(np.concatenate(kept))
    return pictures[kept], labels[kept]


def _some(labels, number, share, least, rng):
    found = np.flatnonzero(labels == number)
    return rng.choice(found, max(least, round(share * len(found))), replace=False)


def noise_pictures(pictures, labels, rng):
    """Pictures of noise."""
    return rng.integers(0, 256, pictures.shape, dtype=np.uint8), labels


def blank_pictures(pictures, labels, rng):
    """Pictures of one grey each, as when a loader fails."""
    grey = rng.integers(96, 160, (len(pictures), 1, 1, 1), dtype=np.uint8)
    return np.broadcast_to(grey, pictures.shape).copy(), labels


def _healthy(dataset, style, epochs, batch_size, recipe):
    name = f"{dataset}-{style}"
    return Configuration(name, dataset, recipe, epochs, batch_size, None, (), name, "")


DECAY = partial(keras.optimizers.schedules.ExponentialDecay, 2e-3, 100, 0.9)
L2 = partial(keras.regularizers.L2, 1e-4)
FLIP = partial(layers.RandomFlip, "horizontal", seed=SEED)
SMOOTHED = partial(keras.losses.CategoricalCrossentropy, label_smoothing=0.05)
ADAMW = partial(keras.optimizers.AdamW, weight_decay=1e-3)
RMS = keras.optimizers.RMSprop
CATEGORICAL = "categorical_crossentropy"

HEALTHY = (
    _healthy("digits", "mlp", 12, 32, Recipe(flat, (128,))),
    _healthy("digits", "mlp-momentum", 12, 32,
             Recipe(flat, (64, 64), optimizer=MOMENTUM, rate=0.01)),
    _healthy("digits", "mlp-tanh", 20, 64, Recipe(flat, (64,), activation="tanh")),
    _healthy("digits", "mlp-dropout", 15, 64,
             Recipe(flat, (256, 128), dropout=0.3, optimizer=RMS, loss=LOGITS, last=None)),
    _healthy("digits", "mlp-selu", 12, 64,
             Recipe(flat, (128, 64, 64), activation="selu", initializer="lecun_normal",
                    optimizer=ADAMW, loss=CATEGORICAL)),
    _healthy("digits", "cnn", 10, 64, Recipe(plain, (16, 32), loss=LOGITS, last=None)),
    _healthy("digits", "lenet", 12, 32,
             Recipe(lenet, (6, 16), (84,), activation="tanh", average=True, optimizer=MOMENTUM,
                    rate=0.02)),
    _healthy("digits", "cnn-normed", 12, 64,
             Recipe(averaged, (16, 32, 32), norm=True, memory=0.9, rate=3e-3)),
    _healthy("digits", "sgd", 20, 16, Recipe(flat, (100,), optimizer=SGD, rate=0.05)),
    _healthy("cifar", "cnn", 12, 32, Recipe(plain, (32, 32), (64,))),
    _healthy("cifar", "cnn-normed", 15, 64,
             Recipe(plain, (16, 32, 64), norm=True, memory=0.9, dropout=0.2, loss=LOGITS,
                    last=None)),
    _healthy("cifar", "vgg", 12, 32,
             Recipe(vgg, (16, 32), (64,), initializer="he_normal", dropout=0.2,
                    optimizer=MOMENTUM, rate=0.01)),
    _healthy("cifar", "residual", 12, 32,
             Recipe(residual, (16, 32, 48), norm=True, memory=0.9, initializer="he_normal",
                    dropout=0.2, augment=(FLIP,), optimizer=MOMENTUM, rate=0.02)),
    _healthy("cifar", "strided", 20, 32, Recipe(strided, (32, 64, 64), optimizer=RMS)),
    _healthy("cifar", "elu", 12, 32,
             Recipe(plain, (16, 32), (64,), activation="elu", optimizer=ADAMW, penalty=L2,
                    scale=(2 * SCALE,), offset=-1.0)),
    _healthy("cifar", "separable", 20, 32,
             Recipe(separable, (24, 48, 96), norm=True, rate=3e-3)),
    _healthy("cifar", "augmented", 20, 32,
             Recipe(plain, (16, 32, 32), (64,), augment=(FLIP,), loss=SMOOTHED, rate=DECAY)),
    _healthy("signs", "cnn", 12, 32, Recipe(plain, (16, 32, 32), (64,))),
    _healthy("signs", "cnn-momentum", 15, 32,
             Recipe(plain, (16, 32), (64,), loss=LOGITS, last=None, optimizer=MOMENTUM,
                    rate=0.02)),
    _healthy("signs", "normed", 12, 64,
             Recipe(plain, (16, 32, 64), norm=True, memory=0.9, dropout=0.2, loss=CATEGORICAL)),
    _healthy("signs", "vgg", 12, 64,
             Recipe(vgg, (16, 32, 32), (64,), norm=True, memory=0.9, dropout=0.2)),
    _healthy("signs", "residual", 15, 32,
             Recipe(residual, (16, 32, 48), norm=True, loss=LOGITS, last=None)),
    _healthy("signs", "elu", 12, 32,
             Recipe(plain, (16, 32), (64,), activation="elu", optimizer=RMS, dropout=0.1)),
    _healthy("signs", "lenet", 15, 16,
             Recipe(lenet, (6, 16), (120, 84), activation="tanh", average=True,
                    scale=(2 * SCALE,), offset=-1.0)),
    _healthy("signs", "nested", 15, 64,
             Recipe(nested, (16, 32, 32), (128,), dropout=0.15, penalty=L2, optimizer=ADAMW)),
    _healthy("signs", "one-hot-logits", 12, 128,
             Recipe(vgg, (16, 32), (64,), loss=ONE_HOT_LOGITS, last=None, initializer="he_uniform",
                    rate=2e-3)),
)


_BY_NAME = {configuration.name: configuration for configuration in HEALTHY}


def _mutated(causes, of, what, *, epochs=0, batch_size=0, spoil=None, **changes):
    """A healthy configuration with one thing changed; `causes` are parted by blanks."""
    healthy = _BY_NAME[of]
    return Configuration(
        f"{of}/{what}",
        healthy.dataset,
        replace(healthy.build, **changes) if changes else healthy.build,
        epochs or healthy.epochs,
        batch_size or healthy.batch_size,
        spoil,
        tuple(causes.split()),
        of,
        "",
    )


def _rate(of, factor):
    """The learning rate times a factor."""
    cause, sign = ("learning_rate_high", "x") if factor > 1 else ("learning_rate_low", "div-")
    rate = _BY_NAME[of].build.rate * factor
    return _mutated(cause, of, f"rate-{sign}{round(max(factor, 1 / factor))}", rate=rate)


def _normal(deviation):
    return partial(keras.initializers.RandomNormal, stddev=deviation)


def _constant(value):
    return partial(keras.initializers.Constant, value)


def _l2(strength):
    return partial(keras.regularizers.L2, strength)


LEARNING_RATES = (
    _rate("digits-mlp", 1000),
    _rate("cifar-cnn", 100),
    _rate("signs-cnn", 100),
    _rate("digits-mlp-momentum", 100),
    _rate("cifar-vgg", 100),
    _rate("signs-cnn-momentum", 100),
    _rate("digits-cnn", 100),
    _rate("cifar-residual", 1000),
    _rate("signs-vgg", 1000),
    _rate("digits-mlp", 100),
    _rate("cifar-strided", 100),
    _rate("signs-normed", 1000),
    _rate("digits-mlp", 1 / 1000),
    _rate("cifar-cnn", 1 / 100),
    _rate("signs-cnn", 1 / 100),
    _rate("digits-sgd", 1 / 1000),
    _rate("cifar-residual", 1 / 1000),
    _rate("signs-vgg", 1 / 1000),
    _rate("digits-cnn-normed", 1 / 1000),
    _rate("cifar-vgg", 1 / 100),
    _rate("signs-residual", 1 / 100),
    _rate("signs-cnn-momentum", 1 / 1000),
)

TRAINING = (
    _mutated("optimizer learning_rate_low", "digits-cnn", "plain-sgd", optimizer=SGD),
    _mutated("optimizer learning_rate_low", "cifar-cnn", "adadelta",
             optimizer=keras.optimizers.Adadelta),
    _mutated("optimizer learning_rate_high", "signs-cnn-momentum", "adam", optimizer=Adam),
    _mutated("optimizer learning_rate_high", "digits-mlp-momentum", "momentum-0.999",
             optimizer=partial(SGD, momentum=0.999)),
    _mutated("optimizer learning_rate_low", "cifar-strided", "plain-sgd", optimizer=SGD),
    _mutated("optimizer learning_rate_low", "signs-elu", "ftrl", optimizer=keras.optimizers.Ftrl),
    _mutated("optimizer learning_rate_high", "cifar-residual", "adam", optimizer=Adam),
    _mutated("optimizer learning_rate_low", "signs-cnn", "adagrad",
             optimizer=keras.optimizers.Adagrad),
    _mutated("epochs", "digits-cnn", "epochs-1", epochs=1),
    _mutated("epochs", "cifar-cnn", "epochs-1", epochs=1),
    _mutated("epochs", "signs-cnn", "epochs-1", epochs=1),
    _mutated("epochs", "digits-cnn-normed", "epochs-1", epochs=1),
    _mutated("epochs", "cifar-strided", "epochs-1", epochs=1),
    _mutated("epochs", "signs-nested", "epochs-1", epochs=1),
    _mutated("batch_size epochs", "digits-mlp-momentum", "whole-batch", batch_size=1437),
    _mutated("batch_size epochs", "cifar-cnn", "whole-batch", batch_size=1600),
    _mutated("batch_size epochs", "signs-cnn", "whole-batch", batch_size=1600),
    _mutated("batch_size epochs", "cifar-strided", "whole-batch", batch_size=1600),
    _mutated("batch_size learning_rate_high", "signs-cnn-momentum", "batch-4", batch_size=4),
    _mutated("batch_size epochs", "digits-cnn", "whole-batch", batch_size=1437),
    _mutated("batch_size learning_rate_high", "cifar-vgg", "batch-4", batch_size=4),
    _mutated("batch_size epochs", "signs-one-hot-logits", "whole-batch", batch_size=1600),
)

NETWORKS = (
    _mutated("initialisation", "digits-mlp", "zeros", initializer="zeros"),
    _mutated("initialisation", "cifar-vgg", "normal-1", initializer=_normal(1.0)),
    _mutated("initialisation", "signs-cnn", "zeros", initializer="zeros"),
    _mutated("initialisation", "digits-lenet", "normal-2", initializer=_normal(2.0)),
    _mutated("initialisation", "cifar-strided", "bias-minus-2", bias=_constant(-2.0)),
    _mutated("initialisation", "signs-cnn-momentum", "normal-tiny", initializer=_normal(1e-4)),
    _mutated("initialisation", "digits-mlp-momentum", "ones", initializer="ones"),
    _mutated("initialisation", "cifar-cnn", "constant", initializer=_constant(0.1)),
    _mutated("initialisation", "signs-lenet", "normal-2", initializer=_normal(2.0)),
    _mutated("activation", "digits-mlp-momentum", "softmax-hidden", activation="softmax"),
    _mutated("activation", "cifar-vgg", "sigmoid", activation="sigmoid"),
    _mutated("activation", "signs-cnn-momentum", "sigmoid", activation="sigmoid"),
    _mutated("activation", "digits-lenet", "softmax-hidden", activation="softmax"),
    _mutated("activation", "cifar-strided", "none", activation=None),
    _mutated("activation", "signs-residual", "none", activation=None),
    _mutated("activation", "cifar-cnn", "sigmoid", activation="sigmoid"),
    _mutated("activation", "signs-lenet", "softmax-hidden", activation="softmax"),
    _mutated("capacity", "digits-mlp", "units-2", widths=(2,)),
    _mutated("capacity", "cifar-strided", "filters-1", widths=(1, 2, 2)),
    _mutated("capacity", "signs-normed", "filters-1", widths=(1, 1, 2)),
    _mutated("capacity", "digits-cnn-normed", "filters-1", widths=(1, 1, 1)),
    _mutated("capacity", "cifar-cnn", "bottleneck-1", dense=(1,)),
    _mutated("capacity", "signs-cnn", "bottleneck-1", dense=(1,)),
    _mutated("depth initialisation", "digits-mlp", "depth-40", depth=40),
    _mutated("depth initialisation", "cifar-strided", "depth-12", depth=12),
    _mutated("depth initialisation", "signs-cnn", "depth-25", depth=25),
    _mutated("depth initialisation", "digits-sgd", "depth-30", depth=30),
    _mutated("depth initialisation", "cifar-augmented", "depth-15", depth=15),
    _mutated("depth initialisation", "signs-nested", "depth-16", depth=16),
    _mutated("frozen", "digits-cnn-normed", "frozen-body", frozen="body"),
    _mutated("frozen", "cifar-strided", "frozen-body", frozen="body"),
    _mutated("frozen", "signs-residual", "frozen-body", frozen="body"),
    _mutated("frozen", "digits-mlp", "frozen", frozen="all"),
    _mutated("frozen", "cifar-cnn", "frozen-body", frozen="body"),
    _mutated("frozen", "signs-nested", "frozen-body", frozen="body"),
    _mutated("regularisation", "digits-mlp-dropout", "dropout-0.95", dropout=0.95),
    _mutated("regularisation", "cifar-cnn-normed", "dropout-0.95", dropout=0.95),
    _mutated("regularisation", "signs-vgg", "dropout-0.95", dropout=0.95),
    _mutated("regularisation", "digits-mlp-selu", "decay-100",
             optimizer=partial(keras.optimizers.AdamW, weight_decay=100.0)),
    _mutated("regularisation", "cifar-elu", "l2-1", penalty=_l2(1.0)),
    _mutated("regularisation", "signs-nested", "l2-0.3", penalty=_l2(0.3)),
    _mutated("regularisation", "digits-mlp", "max-norm",
             constraint=partial(keras.constraints.MaxNorm, 0.05)),
    _mutated("regularisation", "signs-cnn", "l1", penalty=partial(keras.regularizers.L1, 0.03)),
)

BINARY = {"units": 1, "last": "sigmoid", "loss": "binary_crossentropy"}
REGRESSION = {"units": 1, "last": None, "loss": "mean_squared_error"}

OUTPUTS = (
    _mutated("loss", "digits-mlp", "linear-as-softmax", last=None),
    _mutated("loss", "cifar-vgg", "softmax-twice", after="softmax"),
    _mutated("loss", "signs-cnn", "binary", **BINARY),
    _mutated("loss", "digits-cnn", "relu-last", last="relu"),
    _mutated("loss", "cifar-cnn", "regression", **REGRESSION),
    _mutated("loss", "signs-vgg", "linear-as-softmax", last=None),
    _mutated("loss", "digits-lenet", "relu-last", last="relu"),
    _mutated("loss", "cifar-strided", "mae", loss="mean_absolute_error"),
    _mutated("loss", "signs-elu", "mae", loss="mean_absolute_error"),
    _mutated("loss", "digits-sgd", "binary", **BINARY),
    _mutated("loss", "cifar-cnn-normed", "tanh-last", last="tanh"),
    _mutated("loss", "signs-cnn", "relu-last", last="relu"),
    _mutated("loss", "digits-mlp-tanh", "one-softmax", units=1, loss="binary_crossentropy"),
    _mutated("loss", "cifar-vgg", "hinge", loss="hinge"),
    _mutated("loss", "signs-cnn-momentum", "softmax-twice", last="softmax", after="softmax"),
    _mutated("loss", "digits-lenet", "regression", **REGRESSION),
    _mutated("loss", "cifar-cnn", "tanh-last", last="tanh"),
    _mutated("loss", "signs-normed", "linear-mse", last=None, loss="mean_squared_error"),
)

DATA_FAULTS = (
    _mutated("input_scale", "digits-mlp-momentum", "unscaled", scale=()),
    _mutated("input_scale", "cifar-vgg", "unscaled", scale=()),
    _mutated("input_scale", "signs-cnn-momentum", "unscaled", scale=()),
    _mutated("input_scale", "digits-sgd", "scaled-twice", scale=(SCALE, SCALE)),
    _mutated("input_scale", "cifar-strided", "scaled-twice", scale=(SCALE, SCALE)),
    _mutated("input_scale", "signs-cnn", "scaled-twice", scale=(SCALE, SCALE)),
    _mutated("input_scale", "digits-sgd", "unscaled", scale=()),
    _mutated("input_scale", "cifar-elu", "scaled-twice", scale=(2 * SCALE, 2 * SCALE)),
    _mutated("input_scale", "signs-nested", "scaled-twice", scale=(SCALE, SCALE)),
    _mutated("input_scale", "digits-lenet", "scaled-twice", scale=(SCALE, SCALE)),
    _mutated("label_noise", "digits-lenet", "noise-40",
             spoil=partial(wrong_labels, share=0.4)),
    _mutated("label_noise", "cifar-cnn", "noise-40", spoil=partial(wrong_labels, share=0.4)),
    _mutated("label_noise", "signs-lenet", "noise-40", spoil=partial(wrong_labels, share=0.4)),
    _mutated("label_noise", "digits-sgd", "noise-60", spoil=partial(wrong_labels, share=0.6)),
    _mutated("label_noise", "cifar-vgg", "noise-60", spoil=partial(wrong_labels, share=0.6)),
    _mutated("label_noise", "signs-normed", "confused-45",
             spoil=partial(confused_labels, share=0.45)),
    _mutated("label_noise", "digits-mlp-selu", "confused-45",
             spoil=partial(confused_labels, share=0.45)),
    _mutated("label_noise", "signs-vgg", "noise-60", spoil=partial(wrong_labels, share=0.6)),
    _mutated("too_few_images", "digits-mlp", "few-3", spoil=partial(few, share=0.03)),
    _mutated("too_few_images", "cifar-cnn", "few-5", spoil=partial(few, share=0.05)),
    _mutated("too_few_images", "signs-cnn", "few-5", spoil=partial(few, share=0.05)),
    _mutated("too_few_images", "digits-cnn", "few-5", spoil=partial(few, share=0.05)),
    _mutated("too_few_images", "cifar-augmented", "few-5", spoil=partial(few, share=0.05)),
    _mutated("too_few_images", "signs-residual", "few-5", spoil=partial(few, share=0.05)),
    _mutated("imbalance", "digits-mlp", "imbalance-100", spoil=imbalanced),
    _mutated("imbalance", "cifar-vgg", "imbalance-100", spoil=imbalanced),
    _mutated("imbalance", "signs-cnn", "imbalance-100", spoil=imbalanced),
    _mutated("imbalance", "digits-lenet", "imbalance-100", spoil=imbalanced),
    _mutated("imbalance", "cifar-separable", "imbalance-100", spoil=imbalanced),
    _mutated("imbalance", "signs-residual", "imbalance-100", spoil=imbalanced),
    _mutated("no_signal label_noise", "digits-cnn", "shuffled", spoil=shuffled_labels),
    _mutated("no_signal label_noise", "cifar-residual", "shuffled", spoil=shuffled_labels),
    _mutated("no_signal label_noise", "signs-normed", "shuffled", spoil=shuffled_labels),
    _mutated("no_signal", "digits-mlp-dropout", "noise-pictures", spoil=noise_pictures),
    _mutated("no_signal", "cifar-strided", "blank-pictures", spoil=blank_pictures),
    _mutated("no_signal", "signs-elu", "blank-pictures", spoil=blank_pictures),
)


def _halved(configurations):
    """Half of each cause, and of the healthy ones, for tuning, in turns; the rest is final."""
    seen: dict[str, int] = {}
    for configuration in configurations:
        cause = configuration.causes[0] if configuration.causes else ""
        turn = seen.setdefault(cause, len(seen) % 2)
        seen[cause] = turn + 1
        yield replace(configuration, half=("tuning", "final")[turn % 2])


CONFIGURATIONS: tuple[Configuration, ...] = tuple(
    _halved(HEALTHY + LEARNING_RATES + TRAINING + NETWORKS + OUTPUTS + DATA_FAULTS)
)

# The share of the test images that were right, of a training with seed 0 on 80 % of the images.
MEASURED: dict[str, float] = {
    "digits-mlp": 0.969,
    "digits-mlp-momentum": 0.956,
    "digits-mlp-tanh": 0.981,
    "digits-mlp-dropout": 0.975,
    "digits-mlp-selu": 0.967,
    "digits-cnn": 0.956,
    "digits-lenet": 0.972,
    "digits-cnn-normed": 0.983,
    "digits-sgd": 0.964,
    "cifar-cnn": 0.472,
    "cifar-cnn-normed": 0.490,
    "cifar-vgg": 0.425,
    "cifar-residual": 0.410,
    "cifar-strided": 0.460,
    "cifar-elu": 0.430,
    "cifar-separable": 0.412,
    "cifar-augmented": 0.485,
    "signs-cnn": 0.935,
    "signs-cnn-momentum": 0.932,
    "signs-normed": 0.945,
    "signs-vgg": 0.975,
    "signs-residual": 0.965,
    "signs-elu": 0.920,
    "signs-lenet": 0.938,
    "signs-nested": 0.935,
    "signs-one-hot-logits": 0.880,
    "digits-mlp/rate-x1000": 0.103,
    "cifar-cnn/rate-x100": 0.100,
    "signs-cnn/rate-x100": 0.100,
    "digits-mlp-momentum/rate-x100": 0.103,
    "cifar-vgg/rate-x100": 0.100,
    "signs-cnn-momentum/rate-x100": 0.100,
    "digits-cnn/rate-x100": 0.103,
    "cifar-residual/rate-x1000": 0.100,
    "signs-vgg/rate-x1000": 0.100,
    "digits-mlp/rate-x100": 0.100,
    "cifar-strided/rate-x100": 0.100,
    "signs-normed/rate-x1000": 0.100,
    "digits-mlp/rate-div-1000": 0.219,
    "cifar-cnn/rate-div-100": 0.188,
    "signs-cnn/rate-div-100": 0.100,
    "digits-sgd/rate-div-1000": 0.733,
    "cifar-residual/rate-div-1000": 0.100,
    "signs-vgg/rate-div-1000": 0.130,
    "digits-cnn-normed/rate-div-1000": 0.103,
    "cifar-vgg/rate-div-100": 0.158,
    "signs-residual/rate-div-100": 0.292,
    "signs-cnn-momentum/rate-div-1000": 0.072,
    "digits-cnn/plain-sgd": 0.156,
    "cifar-cnn/adadelta": 0.107,
    "signs-cnn-momentum/adam": 0.100,
    "digits-mlp-momentum/momentum-0.999": 0.097,
    "cifar-strided/plain-sgd": 0.100,
    "signs-elu/ftrl": 0.100,
    "cifar-residual/adam": 0.285,
    "signs-cnn/adagrad": 0.107,
    "digits-cnn/epochs-1": 0.756,
    "cifar-cnn/epochs-1": 0.292,
    "signs-cnn/epochs-1": 0.120,
    "digits-cnn-normed/epochs-1": 0.156,
    "cifar-strided/epochs-1": 0.160,
    "signs-nested/epochs-1": 0.098,
    "digits-mlp-momentum/whole-batch": 0.700,
    "cifar-cnn/whole-batch": 0.323,
    "signs-cnn/whole-batch": 0.205,
    "cifar-strided/whole-batch": 0.212,
    "signs-cnn-momentum/batch-4": 0.100,
    "digits-cnn/whole-batch": 0.761,
    "cifar-vgg/batch-4": 0.207,
    "signs-one-hot-logits/whole-batch": 0.100,
    "digits-mlp/zeros": 0.100,
    "cifar-vgg/normal-1": 0.100,
    "signs-cnn/zeros": 0.100,
    "digits-lenet/normal-2": 0.636,
    "cifar-strided/bias-minus-2": 0.100,
    "signs-cnn-momentum/normal-tiny": 0.100,
    "digits-mlp-momentum/ones": 0.103,
    "cifar-cnn/constant": 0.100,
    "signs-lenet/normal-2": 0.147,
    "digits-mlp-momentum/softmax-hidden": 0.103,
    "cifar-vgg/sigmoid": 0.100,
    "signs-cnn-momentum/sigmoid": 0.100,
    "digits-lenet/softmax-hidden": 0.103,
    "cifar-strided/none": 0.333,
    "signs-residual/none": 0.645,
    "cifar-cnn/sigmoid": 0.315,
    "signs-lenet/softmax-hidden": 0.305,
    "digits-mlp/units-2": 0.203,
    "cifar-strided/filters-1": 0.160,
    "signs-normed/filters-1": 0.155,
    "digits-cnn-normed/filters-1": 0.114,
    "cifar-cnn/bottleneck-1": 0.100,
    "signs-cnn/bottleneck-1": 0.100,
    "digits-mlp/depth-40": 0.100,
    "cifar-strided/depth-12": 0.100,
    "signs-cnn/depth-25": 0.100,
    "digits-sgd/depth-30": 0.103,
    "cifar-augmented/depth-15": 0.100,
    "signs-nested/depth-16": 0.100,
    "digits-cnn-normed/frozen-body": 0.361,
    "cifar-strided/frozen-body": 0.100,
    "signs-residual/frozen-body": 0.140,
    "digits-mlp/frozen": 0.103,
    "cifar-cnn/frozen-body": 0.188,
    "signs-nested/frozen-body": 0.102,
    "digits-mlp-dropout/dropout-0.95": 0.103,
    "cifar-cnn-normed/dropout-0.95": 0.100,
    "signs-vgg/dropout-0.95": 0.100,
    "digits-mlp-selu/decay-100": 0.103,
    "cifar-elu/l2-1": 0.100,
    "signs-nested/l2-0.3": 0.100,
    "digits-mlp/max-norm": 0.511,
    "signs-cnn/l1": 0.100,
    "digits-mlp/linear-as-softmax": 0.231,
    "cifar-vgg/softmax-twice": 0.247,
    "signs-cnn/binary": 0.100,
    "digits-cnn/relu-last": 0.664,
    "cifar-cnn/regression": 0.160,
    "signs-vgg/linear-as-softmax": 0.037,
    "digits-lenet/relu-last": 0.100,
    "cifar-strided/mae": 0.172,
    "signs-elu/mae": 0.662,
    "digits-sgd/binary": 0.100,
    "cifar-cnn-normed/tanh-last": 0.388,
    "signs-cnn/relu-last": 0.100,
    "digits-mlp-tanh/one-softmax": 0.100,
    "cifar-vgg/hinge": 0.188,
    "signs-cnn-momentum/softmax-twice": 0.743,
    "digits-lenet/regression": 0.100,
    "cifar-cnn/tanh-last": 0.100,
    "signs-normed/linear-mse": 0.573,
    "digits-mlp-momentum/unscaled": 0.103,
    "cifar-vgg/unscaled": 0.100,
    "signs-cnn-momentum/unscaled": 0.100,
    "digits-sgd/scaled-twice": 0.339,
    "cifar-strided/scaled-twice": 0.100,
    "signs-cnn/scaled-twice": 0.100,
    "digits-sgd/unscaled": 0.103,
    "cifar-elu/scaled-twice": 0.100,
    "signs-nested/scaled-twice": 0.100,
    "digits-lenet/scaled-twice": 0.819,
    "digits-lenet/noise-40": 0.872,
    "cifar-cnn/noise-40": 0.320,
    "signs-lenet/noise-40": 0.695,
    "digits-sgd/noise-60": 0.783,
    "cifar-vgg/noise-60": 0.225,
    "signs-normed/confused-45": 0.552,
    "digits-mlp-selu/confused-45": 0.506,
    "signs-vgg/noise-60": 0.135,
    "digits-mlp/few-3": 0.739,
    "cifar-cnn/few-5": 0.247,
    "signs-cnn/few-5": 0.188,
    "digits-cnn/few-5": 0.333,
    "cifar-augmented/few-5": 0.297,
    "signs-residual/few-5": 0.100,
    "digits-mlp/imbalance-100": 0.647,
    "cifar-vgg/imbalance-100": 0.328,
    "signs-cnn/imbalance-100": 0.470,
    "digits-lenet/imbalance-100": 0.717,
    "cifar-separable/imbalance-100": 0.233,
    "signs-residual/imbalance-100": 0.448,
    "digits-cnn/shuffled": 0.086,
    "cifar-residual/shuffled": 0.077,
    "signs-normed/shuffled": 0.133,
    "digits-mlp-dropout/noise-pictures": 0.042,
    "cifar-strided/blank-pictures": 0.100,
    "signs-elu/blank-pictures": 0.090,
}
