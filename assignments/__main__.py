"""python -m assignments: an instructor's commands. Each says with --help what it does."""

import argparse
import subprocess
import sys
import warnings
from pathlib import Path

from sqlalchemy.exc import SAWarning

from .course import NAMES, Course, CourseError


def show(lines):
    """A table on standard output."""
    for line in lines:
        points = f"{line['score']:g} of {line['of']:g}" if line["score"] != "" else "no grade"
        by_hand = ", answers to grade by hand" if line["by hand"] else ""
        if line["leaderboard"]:
            by_hand += f", leaderboard {line['leaderboard']}"
        note = f"  [{line['note']}]" if line["note"] else ""
        print(f"{line['student']:16} {line['assignment']:14} {points}{by_hand}{note}")


def release(course, args):
    """Make the students' version: no solutions, no hidden tests."""
    for folder in course.release(args.names or NAMES):
        print(folder)


def grade(course, args):
    """Grade a folder <student>/<assignment>/<assignment>.ipynb; write report.csv, grades.csv and the feedback."""
    lines = course.grade(args.submissions)
    course.export()
    course.write(lines)
    show(lines)
    print(f"\n{course.folder / 'report.csv'}\n{course.folder / 'grades.csv'}\n{course.folder / 'feedback'}")


def report(course, args):
    """Write grades.csv and the feedback anew, after answers were graded by hand."""
    show(course.report())
    print(f"\n{course.folder / 'grades.csv'}")


def view(course, args):
    """Open nbgrader's own view (Formgrader) in the browser: to read, to grade by hand, to change."""
    return subprocess.call([sys.executable, "-m", "jupyter", "lab"], cwd=course.folder)


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m assignments", description=__doc__.partition("\n")[0])
    parser.add_argument("--course", type=Path, default=Path("course"), help="the course's folder (default: course)")
    parser.add_argument("--unprotected", action="store_true",
                        help="grade without a sandbox: only submissions that you trust like your own code")
    commands = parser.add_subparsers(dest="command", required=True)
    for command in (release, grade, report, view):
        sub = commands.add_parser(command.__name__, help=command.__doc__.partition("\n")[0])
        sub.set_defaults(run=command)
        if command is release:
            sub.add_argument("names", nargs="*", help=f"some of {', '.join(NAMES)}; default: all")
        if command is grade:
            sub.add_argument("submissions", type=Path)
    for stream in (sys.stdout, sys.stderr):                     # a console that lacks a letter shows its number
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    args = parser.parse_args(argv)
    warnings.filterwarnings("ignore", category=SAWarning)      # nbgrader's own, of no use to an instructor
    try:
        return args.run(Course(args.course, args.unprotected), args)
    except CourseError as problem:
        print(problem, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
