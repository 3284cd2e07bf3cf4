"""What a JPEG decoder does, exactly: coefficients of a picture, and what took it → pixels."""
