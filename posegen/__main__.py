"""`python -m posegen`."""

from posegen.cli import main

if __name__ == "__main__":
    main(prog_name="posegen")
