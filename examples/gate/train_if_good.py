"""A Keras training that refuses data that are not good enough.

    python train_if_good.py PHOTOS RUN [BLESSING]

Without a blessing, the gate decides here and now; with one, it must be of these very data.
"""

import sys

from audit import assert_dataset, verify_blessing
from audit.errors import AuditError


def main(photos: str, run: str, blessing: str | None = None) -> None:
    """Train a small network, if the data are good enough."""
    try:
        if blessing:
            verify_blessing(run, blessing=blessing, data=photos)
        else:
            assert_dataset(run, data=photos)
    except AuditError as error:
        sys.exit(f"no training: {error}")

    import keras  # only now: a refusal costs no ten seconds

    images = keras.utils.image_dataset_from_directory(photos, image_size=(32, 32), batch_size=32)
    network = keras.Sequential([
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(16, 3, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(len(images.class_names))])
    network.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                    metrics=["accuracy"])
    network.fit(images, epochs=3)
    network.save("network.keras")


if __name__ == "__main__":
    main(*sys.argv[1:])
