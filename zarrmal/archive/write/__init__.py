"""What changes an archive, from the verb to the stored bytes.

``new``, ``append``, ``adopt`` and ``repack`` each begin with a verb of ``Archive``. They take the
lock, lay the cells in ``order`` and hand a ``segment`` to a runner (``runners``, ``cluster``). In
``encode`` an ``ObjectWriter`` makes each stored object: there pixels become chunks. ``columns``
writes what is known of each cell; ``commit`` makes all of it visible.
"""
