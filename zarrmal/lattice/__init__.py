"""The coefficients of the JPEG pictures that cells came from: out of files, and out of pixels."""
