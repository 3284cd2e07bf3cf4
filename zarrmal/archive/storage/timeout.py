"""The bound on a server's first answer, which sources have as well."""

from ...sources.timeout import first_answer as first_answer
