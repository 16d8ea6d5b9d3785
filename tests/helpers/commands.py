"""The command line, called in this process."""

from muybridge import cli


def run(*arguments: object, capsys) -> tuple[int, str, str]:
    """Exit code, standard output and standard error (spaces folded) of one command."""
    code = 0
    try:
        cli.main([str(argument) for argument in arguments])
    except SystemExit as leave:
        code = leave.code
    out, err = capsys.readouterr()
    return code, out, " ".join(err.split())
