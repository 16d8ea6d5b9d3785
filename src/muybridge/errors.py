"""The errors a user can cause, each one clear line: what is wrong, where, and what to do."""


class UserError(Exception):
    """Bad input, told in one line. The command line prints it and exits with code 2, without a traceback.

    The message says what is wrong, names the file or option, and says what to do about it.
    """
