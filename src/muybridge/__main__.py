"""Where the command starts: nothing is imported before Ctrl-C is answered cleanly."""

import signal
import sys


def main() -> None:
    """Run the command line."""
    try:
        from muybridge.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped\n")
        sys.exit(130)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is left is a second of tidying up


if __name__ == "__main__":
    main()
