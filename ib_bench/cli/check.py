"""Check that a model can be measured, without training it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from ib_bench.cli.parsing import parse
from ib_bench.drawing.columns import json_text
from ib_bench.drawing.terminal import show
from ib_bench.drawing.texts import OutputFormat
from ib_bench.report.findings import findings_table
from ib_bench.runner.check import check, check_parser
from ib_bench.runner.desk import resolved_config

_DESCRIPTION = (
    "Check that a model can be measured, without training it. MODEL is the name of a shipped model, or the dotted path "
    "of your own, as after --model."
)


def main(command: str, arguments: Sequence[str]) -> int:
    """Print a line for each check; exit code 1 if one fails."""
    parser = check_parser(f"ib-bench {command}", _DESCRIPTION)
    parser.usage = "%(prog)s MODEL [options]"
    parser.add_argument("--format", type=OutputFormat, default="table", help="Output format.")
    if arguments and not arguments[0].startswith("-"):
        arguments = ["--model", *arguments]
    options = parse(parser, arguments)
    config = resolved_config(parser, options)
    findings = check(config)
    if options.format == "json":
        print(json_text([asdict(finding) for finding in findings]), end="")
    else:
        show(findings_table(findings, str(config["model"]["class_path"])))
    return int(any(finding.state == "failure" for finding in findings))
