"""The arrays beside the cells: values, sizes, texts around JPEG files."""
