"""The error of an image that cannot be read."""


class UnreadableError(ValueError):
    """The file is no image, or none that is read without loss; a few words."""
