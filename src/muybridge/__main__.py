"""Where the command starts: nothing is imported before Ctrl-C is answered cleanly."""

import sys


def main() -> None:
    """Run the command line."""
    try:
        from muybridge.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
