"""Where the command starts: nothing is imported before Ctrl-C and its like are answered cleanly."""

import sys

from muybridge import stopping


def main() -> None:
    """Run the command line."""
    try:
        stopping.answer_as_ctrl_c()
        from muybridge.cli import main as run

        run()
    except KeyboardInterrupt:
        stopping.say_stopped()
        sys.exit(stopping.exit_code())
    except SystemExit as left:
        if left.code == stopping.INTERRUPTED:  # a verb has said what there is to say
            sys.exit(stopping.exit_code())
        raise
    finally:
        stopping.ignore_all()


if __name__ == "__main__":
    main()
